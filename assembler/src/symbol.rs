//! Symbols, and what expressions are worth.
//!
//! Contract: all sources share one namespace, but for the names that a source keeps to itself: those it declares `.local`
//! and those that begin with `.L`; numeric labels too. A label has one definition and means the same everywhere. A symbol given a value with `.equ`, `.set` or `=`
//! may be given another later: a use means the last definition before it, or the first after it if there is none.
//! A label's value is the address that the program sees: in `.lane` that is the byte address in each lane, one 32nd of
//! the place in the section, and exists at the beginning of a row of 64 bytes only.
//!
//! Invariant: once an expression has a value, no later definition changes it; values of symbols are therefore kept.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use fenn_isa::fixed::Format;
use fenn_isa::memory::{LANES, Space, VECTOR_BYTES};

use crate::diagnostic::{Diagnostic, Problem};
use crate::expression::{
    Binary, Expression, ExpressionKind, Half, Value, apply_binary, apply_unary, code, is_register, split_word,
};
use crate::source::Span;

/// The deepest nesting of expressions within the symbols they use.
const DEEPEST: u16 = 800;

/// A byte of a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) space: Space,
    pub(crate) offset: u32,
}

impl Place {
    /// The address the program sees.
    pub(crate) fn address(self) -> Result<u32, Problem> {
        match self.space {
            Space::LaneLocal if !self.offset.is_multiple_of(VECTOR_BYTES) => Err(Problem::LaneRow(self.offset)),
            Space::LaneLocal => Ok(self.offset / LANES as u32),
            Space::Instruction | Space::Scalar | Space::Vector | Space::Dram => Ok(self.offset),
        }
    }
}

/// Where a statement is, in the order of the sources and in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site {
    /// Which of the given sources it belongs to, with all that this one includes.
    pub(crate) scope: u32,
    pub(crate) order: u32,
    pub(crate) place: Place,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Fresh,
    Busy,
    Known(Value),
}

#[derive(Debug)]
enum Meaning<'a> {
    Label(Place),
    Value { expression: Expression<'a>, site: Site, state: Cell<State> },
}

#[derive(Debug)]
struct Definition<'a> {
    order: u32,
    span: Span,
    meaning: Meaning<'a>,
}

/// A name, and the source it is known in; 0 for all, else one more than the source.
pub(crate) type Key<'a> = (u32, &'a str);

/// All symbols of all sources.
#[derive(Debug, Default)]
pub(crate) struct Symbols<'a> {
    names: HashMap<Key<'a>, Vec<Definition<'a>>>,
    /// The names that each source keeps to itself, besides those that begin with `.L`.
    private: HashSet<(u32, String)>,
    locals: HashMap<(u32, u32), Vec<(u32, Place)>>,
    /// The `%pcrel_hi` of the instruction at each address.
    pcrel: HashMap<u32, (Expression<'a>, Site)>,
}

impl<'a> Symbols<'a> {
    /// No symbols; each source will keep the names to itself that are given with it.
    pub(crate) fn new(private: HashSet<(u32, String)>) -> Self {
        Self { private, ..Self::default() }
    }

    /// The name as the source `scope` means it.
    pub(crate) fn key(&self, name: &'a str, scope: u32) -> Key<'a> {
        let private =
            name.starts_with(".L") || !self.private.is_empty() && self.private.contains(&(scope, name.to_owned()));
        (if private { scope + 1 } else { 0 }, name)
    }

    /// Defines a label.
    ///
    /// # Errors
    /// Where the name has a definition already, or is a register's.
    pub(crate) fn define_label(&mut self, name: &'a str, site: Site, span: Span) -> Result<(), Diagnostic> {
        let key = self.key(name, site.scope);
        self.define(key, Definition { order: site.order, span, meaning: Meaning::Label(site.place) })
    }

    /// Gives a symbol a value.
    ///
    /// # Errors
    /// Where the name is a label's or a register's.
    pub(crate) fn define_value(
        &mut self,
        name: &'a str,
        expression: Expression<'a>,
        site: Site,
        span: Span,
    ) -> Result<(), Diagnostic> {
        let meaning = Meaning::Value { expression, site, state: Cell::new(State::Fresh) };
        let key = self.key(name, site.scope);
        self.define(key, Definition { order: site.order, span, meaning })?;
        // What can be computed now is, so that chains of symbols stay short. What cannot is found out at its uses.
        let last = self.names.get(&key).and_then(|definitions| definitions.last());
        if let Some(definition) = last {
            let _ = self.meaning(definition, 0);
        }
        Ok(())
    }

    fn define(&mut self, key: Key<'a>, definition: Definition<'a>) -> Result<(), Diagnostic> {
        let name = key.1;
        if is_register(name) {
            return Err(Problem::RegisterName(name.to_owned()).at(definition.span));
        }
        let definitions = self.names.entry(key).or_default();
        let values = |d: &Definition<'_>| matches!(d.meaning, Meaning::Value { .. });
        if let Some(first) = definitions.first().filter(|first| !(values(first) && values(&definition))) {
            return Err(Problem::Duplicate { name: name.to_owned(), first: first.span }.at(definition.span));
        }
        definitions.push(definition);
        Ok(())
    }

    /// Defines a numeric label.
    pub(crate) fn define_local(&mut self, number: u32, site: Site) {
        self.locals.entry((site.scope, number)).or_default().push((site.order, site.place));
    }

    /// Notes that the instruction at `site` has `%pcrel_hi(target)`.
    pub(crate) fn note_pcrel(&mut self, target: Expression<'a>, site: Site) {
        self.pcrel.insert(site.place.offset, (target, site));
    }

    /// The labels, in no order.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (Key<'a>, Place)> {
        self.names.iter().filter_map(|(key, definitions)| match definitions.first()?.meaning {
            Meaning::Label(place) => Some((*key, place)),
            Meaning::Value { .. } => None,
        })
    }

    /// The places of all labels, numeric ones too.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        let numeric = self.locals.values().flatten().map(|(_, place)| *place);
        self.labels().map(|(_, place)| place).chain(numeric)
    }

    /// The label of that name that all sources share.
    pub(crate) fn label(&self, name: &'a str) -> Option<Place> {
        match self.names.get(&(0, name))?.first()?.meaning {
            Meaning::Label(place) => Some(place),
            Meaning::Value { .. } => None,
        }
    }

    /// The first definition of a name.
    pub(crate) fn defined(&self, key: Key<'a>) -> Option<Span> {
        self.names.get(&key)?.first().map(|definition| definition.span)
    }

    /// All names, sorted.
    pub(crate) fn sorted(&self) -> Vec<&'a str> {
        let mut names: Vec<&'a str> = self.names.keys().map(|(_, name)| *name).collect();
        names.sort_unstable();
        names
    }

    /// What `expression` is worth at `site`.
    ///
    /// # Errors
    /// The first part of it that has no value.
    pub(crate) fn evaluate(&self, expression: &Expression<'a>, site: Site) -> Result<Value, Diagnostic> {
        self.value(expression, site, 0)
    }

    fn value(&self, expression: &Expression<'a>, site: Site, depth: u16) -> Result<Value, Diagnostic> {
        let at = |problem: Problem| problem.at(expression.span);
        if depth > DEEPEST {
            return Err(at(Problem::TooDeep));
        }
        let inner = |expression: &Expression<'a>| self.value(expression, site, depth + 1);
        match &expression.kind {
            ExpressionKind::Number(number) => Ok(Value::number(*number)),
            ExpressionKind::Here => place_value(site.place).map_err(at),
            ExpressionKind::Symbol(name) => {
                let definition = self.find(name, site).ok_or_else(|| unknown(name, expression.span))?;
                match self.meaning(definition, depth + 1)? {
                    Some(value) => Ok(value),
                    None => Err(at(Problem::Cycle((*name).to_owned()))),
                }
            }
            ExpressionKind::Local { number, forward } => {
                let place = self.local(*number, *forward, site);
                let unknown = Problem::UnknownLocal { number: *number, forward: *forward };
                place_value(place.ok_or_else(|| at(unknown))?).map_err(at)
            }
            ExpressionKind::Unary(unary, operand) => apply_unary(*unary, inner(operand)?).map_err(at),
            ExpressionKind::Binary(binary, operands) => {
                self.binary(*binary, operands, &inner).map_err(|fault| fault.at(expression.span))
            }
            ExpressionKind::Choice(parts) => {
                let [condition, one, other] = &**parts;
                inner(if inner(condition)?.number != 0 { one } else { other })
            }
            ExpressionKind::Fixed(parts) => {
                let (text, bits) = &**parts;
                let given = inner(bits)?.number;
                let format = u8::try_from(given).ok().and_then(Format::new);
                let what = || "the number of fraction bits".to_owned();
                let outside = || Problem::OutOfRange { what: what(), value: given, first: 0, last: 15, step: 1 };
                let format = format.ok_or_else(|| outside().at(bits.span))?;
                code(text, format).map(Value::number).map_err(at)
            }
            ExpressionKind::Half(half, operand) => {
                let value = inner(operand)?.number;
                let part = self.half(*half, value, site, depth + 1);
                part.map(Value::number).map_err(|fault| fault.at(expression.span))
            }
        }
    }

    fn binary(
        &self,
        binary: Binary,
        operands: &[Expression<'a>; 2],
        inner: &impl Fn(&Expression<'a>) -> Result<Value, Diagnostic>,
    ) -> Result<Value, Fault> {
        let [left, right] = operands;
        let left = inner(left).map_err(Fault::Inner)?;
        // As in C, the second operand of these does not matter where the first decides.
        match (binary, left.number != 0) {
            (Binary::Both, false) => return Ok(Value::number(0)),
            (Binary::Either, true) => return Ok(Value::number(1)),
            _ => {}
        }
        let right = inner(right).map_err(Fault::Inner)?;
        apply_binary(binary, left, right).map_err(Fault::Here)
    }

    fn half(&self, half: Half, value: i64, site: Site, depth: u16) -> Result<i64, Fault> {
        let split = |number| split_word(number).map_err(Fault::Here);
        // Distances between two 32-bit addresses are taken modulo 2^32, as `auipc` adds them.
        let distance = |target: i64, from: u32| i64::from((target as u32).wrapping_sub(from));
        match half {
            Half::High => Ok(split(value)?.0),
            Half::Low => Ok(split(value)?.1),
            Half::PcrelHigh => Ok(split(distance(value, site.place.offset))?.0),
            Half::PcrelLow => {
                let found = u32::try_from(value).ok().and_then(|address| self.pcrel.get(&address));
                let (target, high_site) = found.ok_or(Fault::Here(Problem::PcrelLo))?;
                let target = self.value(target, *high_site, depth + 1).map_err(Fault::Inner)?;
                Ok(split(distance(target.number, high_site.place.offset))?.1)
            }
        }
    }

    /// The definition of `name` that a use at `order` means.
    fn find(&self, name: &'a str, site: Site) -> Option<&Definition<'a>> {
        let definitions = self.names.get(&self.key(name, site.scope))?;
        // Definitions are in the sources' order.
        let before = definitions.partition_point(|definition| definition.order < site.order);
        definitions.get(before.saturating_sub(1))
    }

    fn local(&self, number: u32, forward: bool, site: Site) -> Option<Place> {
        let all = self.locals.get(&(site.scope, number))?;
        let before = all.partition_point(|(defined, _)| *defined <= site.order);
        let index = if forward { before } else { before.checked_sub(1)? };
        all.get(index).map(|(_, place)| *place)
    }

    /// The value of a definition; `None` where it needs itself.
    fn meaning(&self, definition: &Definition<'a>, depth: u16) -> Result<Option<Value>, Diagnostic> {
        match &definition.meaning {
            Meaning::Label(place) => place_value(*place).map(Some).map_err(|problem| problem.at(definition.span)),
            Meaning::Value { expression, site, state } => match state.get() {
                State::Known(value) => Ok(Some(value)),
                State::Busy => Ok(None),
                State::Fresh => {
                    state.set(State::Busy);
                    let value = self.value(expression, *site, depth + 1);
                    state.set(value.as_ref().map_or(State::Fresh, |value| State::Known(*value)));
                    value.map(Some)
                }
            },
        }
    }
}

/// The name is used at `span` and has no definition. What may have been meant is looked for when all are known.
pub(crate) fn unknown(name: &str, span: Span) -> Diagnostic {
    Problem::UnknownSymbol { name: name.to_owned(), similar: None }.at(span)
}

/// An error of a part of an expression, or of the expression itself.
enum Fault {
    Inner(Diagnostic),
    Here(Problem),
}

impl Fault {
    fn at(self, span: Span) -> Diagnostic {
        match self {
            Self::Inner(diagnostic) => diagnostic,
            Self::Here(problem) => problem.at(span),
        }
    }
}

fn place_value(place: Place) -> Result<Value, Problem> {
    Ok(Value { number: i64::from(place.address()?), space: Some(place.space) })
}
