//! Through which calls the cycles were spent.

use std::collections::HashMap;
use std::fmt::Write as _;

use fenn_isa::Inst;
use fenn_isa::image::Image;

use super::Observer;
use super::cost::Clock;
use super::profile::symbol_at;
use crate::dma::Transfer;
use crate::state::State;
use crate::timing::Retired;
use crate::trap::{Access, Trap};

/// Calls deeper than so many count for the one at that depth.
const DEEPEST: usize = 256;

/// A function as called from another.
#[derive(Debug, Clone)]
struct Node {
    parent: usize,
    function: u32,
    cycles: u64,
}

/// Reckons cycles by the calls that led to them.
///
/// A call is a jump that leaves its return address in `ra` or `t0`, a return one that goes to the address behind a call
/// that has not returned; traps are not calls.
#[derive(Debug, Clone, Default)]
pub struct Stacks {
    nodes: Vec<Node>,
    children: HashMap<(usize, u32), usize>,
    /// Nodes of the calls that have not returned, each with where its caller goes on.
    calls: Vec<(usize, u32)>,
    current: usize,
    clock: Clock,
}

impl Stacks {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// "Folded" stacks, as the usual flame graph tools read them: a line for each, its functions from the outermost with
    /// `;` between, and its own cycles. In the order of their text.
    pub fn folded(&self, image: &Image) -> String {
        let mut totals: Vec<(String, u64)> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate().filter(|(_, node)| node.cycles > 0) {
            let mut names = Vec::new();
            let mut at = index;
            loop {
                let Node { parent, function, .. } = self.nodes[at];
                let name =
                    symbol_at(image, function).map_or_else(|| format!("{function:#x}"), |symbol| symbol.name.clone());
                // What separates frames and numbers cannot be in a name.
                names.push(name.replace([';', ' '], "_"));
                if at == parent {
                    break;
                }
                at = parent;
            }
            names.reverse();
            totals.push((names.join(";"), node.cycles));
        }
        totals.sort();
        let mut text = String::new();
        for (stack, cycles) in totals {
            let _ = writeln!(text, "{stack} {cycles}");
        }
        text
    }

    fn call(&mut self, function: u32, back: u32) {
        if self.calls.len() >= DEEPEST {
            return;
        }
        let (parent, next) = (self.current, self.nodes.len());
        let node = *self.children.entry((parent, function)).or_insert(next);
        if node == next {
            self.nodes.push(Node { parent, function, cycles: 0 });
        }
        self.calls.push((parent, back));
        self.current = node;
    }
}

impl Observer for Stacks {
    fn retire(&mut self, retired: &Retired, _state: &State) {
        let (gap, cycles) = self.clock.retire(retired);
        if self.nodes.is_empty() {
            self.nodes.push(Node { parent: 0, function: retired.pc, cycles: 0 });
        }
        self.nodes[self.current].cycles += gap + cycles;
        let link = match retired.inst {
            Inst::Jal { rd, .. } | Inst::Jalr { rd, .. } => rd.get(),
            _ => return,
        };
        if matches!(link, 1 | 5) {
            self.call(retired.next, retired.pc.wrapping_add(4));
        } else if matches!(retired.inst, Inst::Jalr { .. })
            && let Some(depth) = self.calls.iter().rposition(|(_, back)| *back == retired.next)
        {
            self.current = self.calls[depth].0;
            self.calls.truncate(depth);
        }
    }

    fn access(&mut self, _access: &Access) {}
    fn transfer(&mut self, _transfer: &Transfer) {}
    fn trap(&mut self, _trap: &Trap) {}
}
