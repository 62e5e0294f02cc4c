//! Gradients against finite differences of an independent simulation in continuous time, which the library offers as
//! [`gradient_check`]; the gates are those of the command `gradient-check`.
//!
//! Where the losses are smooth is a matter of the scenario, and it is chosen so: all outputs spike (`FirstSpike` has no
//! derivative where one begins to), no maximum of a potential is about to be overtaken by another (`Max`), and no spike comes
//! or goes between the two points of a difference: none of the parameters is left out for that.

use fenn_yin_yang::eventprop::{Agreement, Checked, Loss, Scenario, gradient_check};

fn groups(checked: &Checked) -> [Agreement; 3] {
    [checked.w_in, checked.w_out, checked.delays]
}

fn scenario(seed: u64, dt: f64) -> Scenario {
    Scenario { hidden: 5, samples: 3, ..Scenario::new(seed, dt) }
}

#[test]
fn gradients_of_all_losses_are_exact() {
    for loss in Loss::ALL {
        let checked = gradient_check(&scenario(1, 0.0005), loss).unwrap();
        assert_eq!(checked.left_out, 0, "{checked:?}");
        assert!(checked.spikes > 20, "{checked:?}");
        for Agreement { cosine, scale } in groups(&checked) {
            assert!(cosine >= 0.995 && (scale - 1.0).abs() <= 0.02, "{checked:?}");
        }
        let [continuous, grid] = checked.losses;
        assert!((continuous - grid).abs() < 2e-3 * continuous, "{checked:?}");
    }
}

/// The difference between grid and continuous time vanishes with the step.
#[test]
fn a_finer_grid_is_closer() {
    let off = |dt: f64| {
        let checked = gradient_check(&scenario(2, dt), Loss::Weighted).unwrap();
        groups(&checked).iter().map(|agreement| (agreement.scale - 1.0).abs()).fold(0.0, f64::max)
    };
    let (coarse, fine) = (off(0.5), off(0.0005));
    assert!(fine < 0.1 * coarse, "{fine} and {coarse}");
}
