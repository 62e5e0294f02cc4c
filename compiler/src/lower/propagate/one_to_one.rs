//! One-to-one weights: a word of spikes is the mask under which 32 weights are added.

use fenn_isa::Op;

use super::super::lanes::{Pointers, load, store};
use super::{Lowering, Spikes};
use crate::ir::{Arg, Code, Reg, Turns};
use crate::place::{Bundle, Home, OneToOne, OneToOneWeights};

impl Lowering<'_> {
    pub(super) fn one_to_one(&mut self, bundle: &Bundle, part: &OneToOne) {
        let place = &self.placement.populations[part.population];
        // The placement keeps those as bits.
        let Spikes::Bits { at: spikes, words } = self.spikes_of(bundle) else { return };
        let add = if part.saturating { Op::VAddS } else { Op::VAdd };
        let mut pointers = Pointers::default();
        let sums = pointers.point(self, place.variables[part.variable], 1);
        let (constant, weights) = match part.weights {
            OneToOneWeights::Uniform(code) => (Some(self.code.def_v(Op::VLui, &[i64::from(code).into()])), None),
            OneToOneWeights::Vectors(vectors) => (None, Some(pointers.point(self, Home::Vector(vectors), 1))),
        };
        let block = |code: &mut Code, spikes: (Arg, i64)| {
            let word = code.def_x(Op::Lw, &[spikes.1.into(), spikes.0]);
            let sum = load(code, sums);
            let weights: Option<Reg> = constant.or_else(|| weights.map(|at| load(code, at)));
            let added: Vec<Arg> = [sum].into_iter().chain(weights).map(Arg::Reg).collect();
            let added = code.def_v(add, &added);
            code.emit(Op::VSel, &[sum.into(), word.into(), added.into()]);
            store(code, sum, sums);
        };
        if words == 1 {
            let at = self.reach(spikes, 4);
            return block(&mut self.code, at);
        }
        let pointer = self.pointer(spikes);
        let end = self.plus(pointer, i64::from(4 * words));
        let lane_step = pointers.lane_step(self, 1);
        let head = self.code.label();
        self.code.bind_turns(head, Turns::Times(words));
        block(&mut self.code, (pointer.into(), 0));
        pointers.advance(&mut self.code, lane_step);
        self.code.advance(pointer, 4);
        self.code.emit(Op::Bne, &[pointer.into(), end.into(), head.into()]);
    }
}
