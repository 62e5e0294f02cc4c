//! Rings of sums that are due later: what is due is added to the variable at the beginning of its population's update.

use fenn_isa::Op;

use super::super::lanes::{At, Pointers, load, store};
use super::Lowering;
use crate::ir::{Arg, Reg, Turns};
use crate::place::Ring;

impl Lowering<'_> {
    /// Adds what is due to the variables of a population and turns the rings.
    pub(crate) fn deliver(&mut self, population: usize) {
        for (index, ring) in self.placement.rings.iter().enumerate() {
            if ring.population == population {
                self.deliver_ring(ring, self.step.rings[index]);
            }
        }
    }

    fn deliver_ring(&mut self, ring: &Ring, time: Reg) {
        let place = &self.placement.populations[ring.population];
        let kernel = &self.network.populations[ring.population].kernel;
        let add = if kernel.variables[ring.variable].ty.saturating { Op::VAddS } else { Op::VAdd };
        let last = i64::from(ring.bytes) - 1;
        let turned = self.code.def_v(Op::VFill, &[time.into()]);
        let [mask, step, zero, base] = [last, 2 * i64::from(ring.slots), 0, 2 * i64::from(ring.row)]
            .map(|value| self.code.def_v(Op::VLui, &[value.into()]));
        let mut pointers = Pointers::default();
        let variable = pointers.point(self, place.variables[ring.variable], 1);
        let lane_step = pointers.lane_step(self, 1);
        let left = self.code.constant(place.blocks.into());
        let head = self.code.label();
        self.code.bind_turns(head, Turns::Times(place.blocks));
        let address = self.code.def_v(Op::VAdd, &[turned.into(), base.into()]);
        let due = At::new(address.into(), 0, 0);
        let sum = load(&mut self.code, due);
        let value = load(&mut self.code, variable);
        let code = &mut self.code;
        code.emit(Op::VAdd, &[turned.into(), turned.into(), step.into()]);
        code.emit(Op::VAnd, &[turned.into(), turned.into(), mask.into()]);
        let value = code.def_v(add, &[value.into(), sum.into()]);
        store(code, value, variable);
        store(code, zero, due);
        pointers.advance(code, lane_step);
        code.advance(left, -1);
        code.emit(Op::Bne, &[left.into(), Arg::Zero, head.into()]);
        code.advance(time, 2);
        let mask = code.constant(last);
        code.emit(Op::And, &[time.into(), time.into(), mask.into()]);
    }
}
