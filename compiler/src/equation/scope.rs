//! What names mean at a place of the program.
//!
//! Contract: a name visible at a place means one thing; declaring it again there is an error. Locals end with their
//! block; another block may use the name again, and then gets a slot of its own.

use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, nearest};
use crate::kernel::{Kernel, Slot, Type};

use super::Declarations;
use super::ast::{Span, Word};
use super::function::Function;
use super::lexer::is_name_start;
use super::number::parse_type;
use super::parser::is_keyword;

/// Functions that return a number, and how many arguments they take.
const FUNCTIONS: [(&str, usize); 8] =
    [("mul_rs", 2), ("mul_rn", 2), ("mul_rz", 2), ("fennrand", 0), ("min", 2), ("max", 2), ("abs", 1), ("clamp", 3)];

/// How many arguments the function `name` takes, if it is one.
pub(super) fn arguments(name: &str) -> Option<usize> {
    let known = FUNCTIONS.iter().find(|(function, _)| *function == name).map(|(_, arguments)| *arguments);
    known.or_else(|| Function::named(name).map(|_| 1))
}

/// What a name stands for; the number indexes the kernel's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Variable(usize),
    Parameter(usize),
    Event(usize),
    Local(usize),
    /// A local whose declaration was refused; what is said about it would be a consequence.
    Broken,
}

/// What is known of a local besides its slot; same index.
#[derive(Debug, Clone)]
pub(super) struct Local {
    /// Its name as written, in its declaration; `None` for temporaries.
    pub(super) declared: Option<Word>,
    pub(super) constant: bool,
    pub(super) read: bool,
    /// Has a value on every path to the current place.
    pub(super) assigned: bool,
}

/// The names visible at the current place.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// Outermost first; the first holds the declarations.
    levels: Vec<HashMap<String, Symbol>>,
    pub(super) locals: Vec<Local>,
    /// How often a name of a slot was given out.
    given: HashMap<String, usize>,
}

impl Scopes {
    /// The kernel's lists from the declarations, and what is wrong with their names.
    pub(super) fn new(declarations: &Declarations, kernel: &mut Kernel) -> (Self, Vec<Diagnostic>) {
        let mut names = HashMap::new();
        let mut diagnostics = Vec::new();
        let mut declare = |name: &str, kind: &'static str, symbol: Symbol| {
            let problem = refused_name(name).map(|why| format!("the {kind} `{name}` cannot have this name: {why}"));
            let problem = match (problem, names.insert(name.to_owned(), symbol)) {
                (Some(problem), _) => problem,
                (None, Some(_)) => format!("the {kind} `{name}` has a name that is already taken"),
                (None, None) => return,
            };
            diagnostics.push(Diagnostic::error(problem).help("rename it where the population is described"));
        };
        let slot = |(name, ty): &(String, Type)| Slot { name: name.clone(), ty: *ty };
        for (index, (name, _)) in declarations.variables.iter().enumerate() {
            declare(name, "variable", Symbol::Variable(index));
        }
        for (index, (name, _)) in declarations.parameters.iter().enumerate() {
            declare(name, "parameter", Symbol::Parameter(index));
        }
        for (index, name) in declarations.events.iter().enumerate() {
            declare(name, "event", Symbol::Event(index));
        }
        kernel.variables = declarations.variables.iter().map(slot).collect();
        kernel.parameters = declarations.parameters.iter().map(slot).collect();
        kernel.events = declarations.events.clone();
        (Self { levels: vec![names], ..Self::default() }, diagnostics)
    }

    pub(super) fn enter(&mut self) {
        self.levels.push(HashMap::new());
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    pub(super) fn find(&self, name: &str) -> Option<Symbol> {
        self.levels.iter().rev().find_map(|level| level.get(name)).copied()
    }

    /// Declares a local and gives it a slot; `ty` is `None` if its declaration is broken already.
    pub(super) fn declare(
        &mut self,
        name: &Word,
        ty: Option<Type>,
        constant: bool,
        kernel: &mut Kernel,
    ) -> Result<Symbol, Diagnostic> {
        if let Some(why) = refused_name(&name.text) {
            let problem = format!("a local cannot be called `{}`", name.text);
            return Err(Diagnostic::error(problem).at(name.span.clone(), why).help("choose another name"));
        }
        if let Some(symbol) = self.find(&name.text) {
            return Err(self.taken(name, symbol));
        }
        let symbol = match ty {
            Some(ty) => Symbol::Local(self.slot(&name.text, Some(name.clone()), ty, constant, kernel)),
            None => Symbol::Broken,
        };
        if let Some(level) = self.levels.last_mut() {
            level.insert(name.text.clone(), symbol);
        }
        Ok(symbol)
    }

    /// A local without a name in the text; its slot's name cannot be that of any other.
    pub(super) fn temporary(&mut self, purpose: &str, ty: Type, kernel: &mut Kernel) -> usize {
        let index = self.slot(purpose, None, ty, true, kernel);
        self.locals[index].assigned = true;
        self.locals[index].read = true;
        index
    }

    fn slot(&mut self, name: &str, declared: Option<Word>, ty: Type, constant: bool, kernel: &mut Kernel) -> usize {
        let count = self.given.entry(name.to_owned()).or_default();
        *count += 1;
        // A dot cannot be written in a name, so numbered names are nobody else's.
        let unique = if *count == 1 && declared.is_some() { name.to_owned() } else { format!("{name}.{count}") };
        kernel.locals.push(Slot { name: unique, ty });
        self.locals.push(Local { declared, constant, read: false, assigned: false });
        kernel.locals.len() - 1
    }

    fn taken(&self, name: &Word, symbol: Symbol) -> Diagnostic {
        let (what, earlier) = match symbol {
            Symbol::Variable(_) => ("a variable of the population", None),
            Symbol::Parameter(_) => ("a parameter of the population", None),
            Symbol::Event(_) => ("an event of the population", None),
            Symbol::Local(index) => ("a local declared before", self.place(index)),
            Symbol::Broken => ("a local declared before", None),
        };
        let problem = Diagnostic::error(format!("`{}` is already the name of {what}", name.text))
            .at(name.span.clone(), "declared again");
        let problem = match earlier {
            Some(span) => problem.at(span, "first declared here"),
            None => problem,
        };
        problem.help("a name means one thing where it is visible; choose another, or leave the type out to assign")
    }

    /// Where a local was declared.
    pub(super) fn place(&self, local: usize) -> Option<Span> {
        self.locals[local].declared.as_ref().map(|name| name.span.clone())
    }

    /// The name nearest to `name` among those for which `fits`, with the functions if `functions`.
    pub(super) fn suggest(&self, name: &str, functions: bool, fits: impl Fn(Symbol) -> bool) -> Option<String> {
        let mut names: Vec<&str> =
            self.levels.iter().flatten().filter(|(_, symbol)| fits(**symbol)).map(|(name, _)| name.as_str()).collect();
        names.sort_unstable(); // a map has no order, diagnostics need one
        if functions {
            names.extend(FUNCTIONS.iter().map(|(name, _)| name));
            names.extend(Function::ALL.iter().map(|(name, _)| name));
        }
        nearest(name, names).map(str::to_owned)
    }
}

/// Why `name` cannot be declared, if so.
fn refused_name(name: &str) -> Option<&'static str> {
    let well_formed = name.bytes().next().is_some_and(is_name_start)
        && name.bytes().all(|byte| is_name_start(byte) || byte.is_ascii_digit());
    if !well_formed {
        Some("a name consists of the letters a to z, digits and `_`, and starts with no digit")
    } else if is_keyword(name) {
        Some("it is a keyword")
    } else if parse_type(name).is_some() {
        Some("it is a type")
    } else if arguments(name).is_some() {
        Some("it is a function")
    } else {
        None
    }
}
