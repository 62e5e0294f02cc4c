//! Everything that can be wrong with a source: one enum, whose variants read as sentences.
//!
//! Contract: a [`Diagnostic`] says what is wrong ([`Problem`]), where (a span), and where it can, what to do.
//! [`render`] draws it under the line it is about.
//!
//! Not here: printing, which belongs to the binary.

use fenn_isa::image::ImageError;
use fenn_isa::memory::{ConfigError, Space};

use crate::source::{Source, Span};

mod message;
mod render;

pub use message::{Level, Message, json};
pub use render::{render, render_messages};

/// One thing that is wrong, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What.
    pub problem: Problem,
    /// Where; `None` where it is about no line, such as an option naming a symbol that does not exist.
    pub span: Option<Span>,
}

/// What is wrong.
///
/// [`VariantNames::VARIANTS`](strum::VariantNames) lists the names of all of them, as [`Problem::code`] gives them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Problem {
    /// A source of 4 GiB or more.
    #[error("the source is longer than 4 GiB")]
    SourceTooLong,
    /// A character that begins nothing.
    #[error("the character {0:?} has no meaning here")]
    Character(char),
    /// A comment without an end.
    #[error("this comment has no end")]
    OpenComment,
    /// A string without an end.
    #[error("this text has no closing \"")]
    OpenText,
    /// A character constant that is none.
    #[error("this is not one character between two '")]
    BadCharacter,
    /// An escape that means nothing.
    #[error("`\\{0}` is no escape sequence")]
    Escape(String),
    /// Digits that are no number.
    #[error("this is not a number: {0}")]
    Number(&'static str),
    /// Something else than the grammar has here.
    #[error("expected {wanted}, found {found}")]
    Expected {
        /// What belongs here.
        wanted: String,
        /// What is here.
        found: String,
    },
    /// Parentheses, operators or symbols within symbols beyond any use.
    #[error("this expression is nested too deeply")]
    TooDeep,
    /// No row and no pseudo-instruction has this name.
    #[error("no instruction is called `{name}`")]
    UnknownInstruction {
        /// As written.
        name: String,
        /// The nearest that exists.
        similar: Option<String>,
    },
    /// No directive has this name.
    #[error("no directive is called `{name}`")]
    UnknownDirective {
        /// As written.
        name: String,
        /// The nearest that exists.
        similar: Option<String>,
    },
    /// A section that belongs to no memory.
    #[error("the section `{0}` belongs to no memory")]
    UnknownSection(String),
    /// A symbol without definition.
    #[error("the symbol `{name}` is not defined")]
    UnknownSymbol {
        /// As written.
        name: String,
        /// The nearest that exists.
        similar: Option<String>,
    },
    /// No CSR has this name, and no symbol.
    #[error("no CSR is called `{name}`")]
    UnknownCsr {
        /// As written.
        name: String,
        /// The nearest that exists.
        similar: Option<String>,
    },
    /// A numeric label without definition in that direction.
    #[error("there is no label `{number}:` {}", if *forward { "after this line" } else { "before this line" })]
    UnknownLocal {
        /// Its number.
        number: u32,
        /// Whether it was looked for after the line.
        forward: bool,
    },
    /// An option names a symbol that does not exist.
    #[error("the {option} `{name}` is not defined in any source")]
    UnknownOptionSymbol {
        /// What for.
        option: &'static str,
        /// Its name.
        name: String,
        /// The nearest that exists.
        similar: Option<String>,
    },
    /// An option names a symbol of the wrong memory.
    #[error("the {option} `{name}` is not in {wanted}")]
    OptionSymbolSpace {
        /// What for.
        option: &'static str,
        /// Its name.
        name: String,
        /// Where it would have to be.
        wanted: Space,
    },
    /// A symbol with two definitions.
    #[error("`{name}` is defined twice")]
    Duplicate {
        /// Its name.
        name: String,
        /// The first definition.
        first: Span,
    },
    /// A symbol called like a register.
    #[error("`{0}` is a register and cannot name a symbol")]
    RegisterName(String),
    /// A symbol whose value depends on itself.
    #[error("the value of `{0}` depends on itself")]
    Cycle(String),
    /// A value that must be known at this line.
    #[error("this must be known here, and `{0}` is not defined before this line")]
    NotYetKnown(String),
    /// A number that does not fit.
    #[error("{what} is {value}, and must lie in {first}..={last}{}", multiple(*step))]
    OutOfRange {
        /// Of what.
        what: String,
        /// The number.
        value: i64,
        /// The least that fits.
        first: i64,
        /// The greatest that fits.
        last: i64,
        /// It must be a multiple of this.
        step: i64,
    },
    /// A branch or jump to something else than an instruction.
    #[error("the target of a branch or jump is a label in `.text`, or `.` plus an offset")]
    Target,
    /// Arithmetic beyond 64 bits.
    #[error("the result does not fit into 64 bits")]
    Overflow,
    /// Division or remainder by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A shift by less than 0 or more than 63.
    #[error("a shift by {0} bits; it must lie in 0..=63")]
    Shift(i64),
    /// Two addresses added.
    #[error("two addresses cannot be added")]
    AddressSum,
    /// `%pcrel_lo` of a place where there is no `%pcrel_hi`.
    #[error("`%pcrel_lo` wants the label of an instruction that has `%pcrel_hi`")]
    PcrelLo,
    /// An instruction in a data section.
    #[error("instructions belong into `.text`, and this is {0}")]
    NotText(Space),
    /// An instruction at an address that is no multiple of 4.
    #[error("an instruction would be at {0:#x}, which is not a multiple of 4")]
    MisalignedInstruction(u32),
    /// A place in lane-local memory that is not the beginning of a row.
    #[error("byte {0:#x} of `.lane` is inside a row of 64 bytes (a halfword for each of 32 lanes), and has no address")]
    LaneRow(u32),
    /// An alignment that is no power of two, or larger than any memory.
    #[error("the alignment {0} is not a power of two up to 2^20")]
    Alignment(i64),
    /// `.org` backwards.
    #[error("`.org` cannot go back from {from:#x} to {to:#x}")]
    OrgBack {
        /// The current address.
        from: u32,
        /// The address asked for.
        to: i64,
    },
    /// More contents than the memory holds.
    #[error("this does not fit into {space}, which has {bytes} bytes")]
    Full {
        /// Which memory.
        space: Space,
        /// Its size.
        bytes: u32,
    },
    /// An `.option` that would change what is assembled.
    #[error("`.option {0}` is not supported")]
    Option(String),
    /// Decimal text that is no number of its format.
    #[error("{0}")]
    Decimal(String),
    /// A vector with a number of values that says nothing.
    #[error("a vector has 1 value for all lanes or 32, and this has {0}")]
    Lanes(usize),
    /// Columns that are not all of one length.
    #[error("32 columns of {rows} values are {} values, and this has {found}", rows.saturating_mul(32))]
    Columns {
        /// Values of one lane.
        rows: usize,
        /// Values given.
        found: usize,
    },
    /// Vectors at an address where none can be.
    #[error("a vector would be at byte {0:#x}, which is not a multiple of 64")]
    NoVector(u32),
    /// A directive without the one that ends it.
    #[error("this `{name}` has no `{closing}`")]
    Unclosed {
        /// The directive.
        name: String,
        /// What would end it.
        closing: &'static str,
    },
    /// A directive without the one that it ends.
    #[error("there is no `{opening}` that this `{name}` could belong to")]
    Unopened {
        /// The directive.
        name: &'static str,
        /// What it would belong to.
        opening: &'static str,
    },
    /// `.else` or `.elseif` behind `.else`.
    #[error("nothing but `.endif` follows an `.else`")]
    AfterElse {
        /// The `.if`.
        first: Span,
    },
    /// A macro with two definitions.
    #[error("the macro `{name}` is defined twice")]
    DuplicateMacro {
        /// Its name.
        name: String,
        /// The first definition.
        first: Span,
    },
    /// `.purgem` of no macro.
    #[error("there is no macro `{0}`")]
    NoMacro(String),
    /// Two parameters of one name.
    #[error("two parameters are called `{0}`")]
    DuplicateParameter(String),
    /// More parameters than anybody gives.
    #[error("a macro has at most {0} parameters")]
    Parameters(usize),
    /// A parameter behind one that takes all that is left.
    #[error("the parameter `{0}` gets nothing, since the one before it takes all that is left")]
    AfterRest(String),
    /// More arguments than parameters.
    #[error("the macro `{name}` takes at most {most} arguments, and this call has {found}")]
    Arguments {
        /// The macro.
        name: String,
        /// Its parameters.
        most: usize,
        /// What is given.
        found: usize,
    },
    /// An argument that must be given.
    #[error("the macro `{name}` wants a value for `{argument}`")]
    ArgumentMissing {
        /// The macro.
        name: String,
        /// The parameter.
        argument: String,
    },
    /// Two values for one parameter.
    #[error("`{argument}` of the macro `{name}` has two values")]
    ArgumentTwice {
        /// The macro.
        name: String,
        /// The parameter.
        argument: String,
    },
    /// Macros, repetitions and files within each other, without an end.
    #[error("macros, repetitions and included files are more than {0} deep here")]
    ExpansionDepth(usize),
    /// Macros and repetitions that become too much text.
    #[error("macros and repetitions become more than 2^20 statements or 32 MiB of text")]
    ExpansionBudget,
    /// A file that includes itself.
    #[error("the file {0} includes itself")]
    IncludeCycle(String),
    /// Files that include each other again and again.
    #[error("more than {0} files are included")]
    FileBudget(usize),
    /// A file that cannot be used.
    #[error("cannot read {path}: {why}")]
    File {
        /// Its path, as seen from where the assembler runs.
        path: String,
        /// Why.
        why: String,
    },
    /// Conditions that ask for the very addresses that they change.
    #[error("the addresses do not come to rest: a condition or a distance depends on how long branches are")]
    Unsettled,
    /// What `.error` says.
    #[error("{0}")]
    Said(String),
    /// More that is wrong than anybody reads.
    #[error("there are too many errors to go on")]
    TooMany,
    /// The machine cannot exist.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The result is no image.
    #[error(transparent)]
    Image(#[from] ImageError),
}

fn multiple(step: i64) -> String {
    if step == 1 { String::new() } else { format!(" and be a multiple of {step}") }
}

impl Problem {
    /// With its place.
    pub fn at(self, span: Span) -> Diagnostic {
        Diagnostic { problem: self, span: Some(span) }
    }

    /// The problem's name, which does not change with the wording: `unknown-symbol`.
    pub fn code(&self) -> &'static str {
        self.into()
    }

    /// Without one.
    pub fn anywhere(self) -> Diagnostic {
        Diagnostic { problem: self, span: None }
    }

    /// What to do about it, where that is clear.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::UnknownInstruction { similar, .. }
            | Self::UnknownDirective { similar, .. }
            | Self::UnknownSymbol { similar, .. }
            | Self::UnknownCsr { similar, .. }
            | Self::UnknownOptionSymbol { similar, .. } => {
                similar.as_ref().map(|similar| format!("did you mean `{similar}`?"))
            }
            Self::UnknownSection(_) => {
                Some("a section begins with .text, .data, .rodata, .bss, .vector, .lane or .dram".to_owned())
            }
            Self::Target => Some("write `. + 8` for the place 8 bytes after this instruction".to_owned()),
            Self::NotText(_) => Some("write `.text` before it".to_owned()),
            Self::MisalignedInstruction(_) => Some("write `.balign 4` before it".to_owned()),
            Self::LaneRow(_) => Some("write `.balign 64` before it".to_owned()),
            Self::Full { .. } => Some("the sizes of the memories are options, see `fenn-as --help`".to_owned()),
            Self::Option(_) => {
                Some("instructions are always 32 bits wide; `relax`, `norelax`, `push` and `pop` are known".to_owned())
            }
            Self::NoVector(_) => Some("write `.balign 64` before it".to_owned()),
            Self::ExpansionDepth(_) => Some("a macro that calls itself needs an `.if` that ends it".to_owned()),
            Self::PcrelLo => Some("write `name: auipc rd, %pcrel_hi(symbol)` and then `%pcrel_lo(name)`".to_owned()),
            _ => None,
        }
    }

    /// Another place that has to do with it, and what is there.
    pub fn elsewhere(&self) -> Option<(Span, &'static str)> {
        match self {
            Self::Duplicate { first, .. } | Self::DuplicateMacro { first, .. } => Some((*first, "first defined here")),
            Self::AfterElse { first } => Some((*first, "the `.if` is here")),
            _ => None,
        }
    }
}

/// The name in `names` that is most like `name`, if one is near enough to be meant.
pub(crate) fn similar<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<String> {
    /// Longer names are no slips of the pen, and comparing them takes long.
    const LONGEST: usize = 64;
    let near = (name.chars().count() / 3).max(1);
    if name.len() > LONGEST {
        return None;
    }
    let candidates = names.into_iter().filter(|other| other.len().abs_diff(name.len()) <= near && *other != name);
    let (distance, best) = candidates
        .map(|other| (strsim::damerau_levenshtein(name, other), other))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= near).then(|| best.to_owned())
}

/// The position of each diagnostic for people: `name:line:column: message`, one a line.
pub fn summary(diagnostics: &[Diagnostic], sources: &[Source]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        if let Some((span, source)) = diagnostic.span.and_then(|span| Some((span, sources.get(span.source as usize)?)))
        {
            let position = crate::source::position(&source.text, span.start);
            text += &format!("{}:{}:{}: ", source.name, position.line, position.column);
        }
        text += &format!("{}\n", diagnostic.problem);
    }
    text
}
