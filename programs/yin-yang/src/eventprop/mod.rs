//! Exact gradients for spiking networks, of weights and delays (EventProp): 5 inputs, hidden LIF neurons, 3 outputs.
//!
//! [`train()`] follows a [`Recipe`] and gives a [`Trained`] network with what each epoch came to; [`gradient_check`] compares
//! gradients with finite differences of another simulation; [`Deployed`] is a network as files, for the compiler. Nothing here
//! prints, and a seed gives the same bits for any number of threads and on any platform.
//!
//! ```
//! use fenn_yin_yang::eventprop::{Loss, Model, Recipe, train};
//!
//! let recipe = Recipe { epochs: 1, ..Recipe::new(2, 10, Model::published(0.5), Loss::Weighted).with_delays() };
//! let trained = train(&recipe, |epoch| assert!(epoch.test > 0.3))?;
//! assert_eq!(trained.epochs.len(), 1);
//! # Ok::<(), fenn_yin_yang::eventprop::RecipeError>(())
//! ```
//!
//! The modules: `model` has the constants and closed forms, `forward` and `adjoint` the two passes, `loss` what is to be
//! small, `train` the optimisation; `continuous` and [`stepped`] are second witnesses that share only constants with the
//! passes. Deliberately not here: recurrence and other tasks, and number formats, which are the compiler's.

mod adjoint;
mod check;
mod continuous;
mod description;
mod export;
mod forward;
pub mod loss;
mod model;
mod nir;
pub mod stepped;
mod train;

pub use check::{Agreement, Checked, Scenario, gradient_check};
pub use export::{Deployed, ExportError};
pub use loss::{GAIN, Loss};
pub use model::{Model, ModelError, Network, Times};
pub use train::{DelayRecipe, Epoch, Labelled, Recipe, RecipeError, Trained, classify, encoded, train};
