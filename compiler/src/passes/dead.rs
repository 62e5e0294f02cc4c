//! Removes what nobody looks at.
//!
//! Contract: an instruction goes whose only effect is to write registers of which no path reads the value; also a load,
//! which the program could do without. Draws of random numbers stay, since the generators advance, and so does every store
//! and every access to a CSR; and whatever lies where a computed jump relies on the layout.

use std::collections::BTreeSet;

use fenn_isa::Class;
use fenn_isa::timing::draws;

use super::Context;
use crate::ir::flow::{Flow, Liveness, laid_out};
use crate::ir::{Code, Inst, Item};

/// Runs the pass.
pub fn run(code: &mut Code, _context: &Context) {
    loop {
        let dead = dead(code);
        if dead.is_empty() {
            return;
        }
        let mut at = 0;
        code.items.retain(|_| {
            at += 1;
            !dead.contains(&(at - 1))
        });
    }
}

/// Whether the instruction does nothing but write registers.
fn only_writes(inst: &Inst) -> bool {
    let nothing_else = !matches!(
        inst.op.spec().class,
        Class::Store
            | Class::VectorStore
            | Class::LaneStore
            | Class::GeneratorLoad
            | Class::Branch
            | Class::Jump
            | Class::JumpRegister
            | Class::Csr
            | Class::Fence
            | Class::System
            | Class::TrapReturn
    );
    nothing_else && !draws(inst.op)
}

fn dead(code: &Code) -> BTreeSet<usize> {
    let flow = Flow::of(code);
    let liveness = Liveness::of(code, &flow);
    let fixed = laid_out(code);
    let mut dead = BTreeSet::new();
    for (block, mut live) in flow.blocks.iter().zip(liveness.live_out) {
        for at in block.items.clone().rev() {
            let Item::Inst(inst) = &code.items[at] else { continue };
            if !fixed[at] && only_writes(inst) && !inst.defs().any(|def| live.contains(def)) {
                dead.insert(at);
                continue;
            }
            inst.defs().for_each(|def| live.remove(def));
            inst.uses().for_each(|used| live.insert(used));
        }
    }
    dead
}
