//! Failing programs made small.
//!
//! Contract: [`shrink`] leaves out pieces, then single lines, as long as what is left still fails, and stops when nothing
//! more can be left out or a number of tries is spent. A program that does not fail at the start comes back as it is.
//! Every try is on a new core, so that none depends on another.

use crate::generate::{Line, Program};

/// The smallest program found that still fails, as `fails` says.
pub fn shrink(program: &Program, tries: usize, mut fails: impl FnMut(&Program) -> bool) -> Program {
    let mut tries = tries;
    let mut smallest = program.clone();
    let pieces = without(program.pieces.clone(), &mut tries, |pieces| {
        fails(&Program { pieces: pieces.to_vec(), ..program.clone() })
    });
    smallest.pieces = pieces;
    loop {
        let before = smallest.len();
        let lines: Vec<Line> = smallest.pieces.iter().flatten().copied().collect();
        let lines =
            without(lines, &mut tries, |lines| fails(&Program { pieces: vec![lines.to_vec()], ..program.clone() }));
        smallest.pieces = vec![lines];
        if tries == 0 || smallest.len() == before {
            return smallest;
        }
    }
}

/// Leaves out halves, quarters and so on, down to single elements, while the rest still fails.
fn without<T: Clone>(all: Vec<T>, tries: &mut usize, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut rest = all;
    let mut size = rest.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        while start < rest.len() {
            if *tries == 0 {
                return rest;
            }
            let end = (start + size).min(rest.len());
            let candidate: Vec<T> = rest[..start].iter().chain(&rest[end..]).cloned().collect();
            *tries -= 1;
            if !candidate.is_empty() && fails(&candidate) {
                rest = candidate;
            } else {
                start = end;
            }
        }
        if size == 1 {
            return rest;
        }
        size = size.div_ceil(2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_is_left_out() {
        let mut tries = 1000;
        let rest = without((0..100).collect(), &mut tries, |rest| rest.contains(&17) && rest.contains(&83));
        assert_eq!(rest, [17, 83]);
        assert!(tries > 500, "{tries}");
    }

    #[test]
    fn tries_are_limited() {
        let mut tries = 3;
        without((0..100).collect(), &mut tries, |_| false);
        assert_eq!(tries, 0);
    }
}
