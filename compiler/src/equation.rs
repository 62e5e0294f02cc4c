//! The neuron-equation language: what one population computes in each time step, as text.
//!
//! Contract: [`compile`] turns a text and the declarations of the names it uses into a [`Kernel`], or says everything
//! that is wrong with it. It accepts the programs published for FeNN, and gives them the published meaning.
//!
//! # The language
//! C's statements and expressions on 16-bit numbers, executed by all neurons at once.
//! - **Types** `sX_Y_t` (X integer, Y fraction bits, X + Y = 15; sums wrap), `sX_Y_sat_t` (sums and products saturate)
//!   and `int16_t`, which is `s15_0_t`.
//! - **Literals** `12` and `0x1f` are `int16_t`; `0.5h10` has 10 fraction bits. A minus before a literal belongs to it.
//!   They are rounded once, to nearest, ties to even; a number outside its format is an error.
//! - **Statements** `x = e;` `+=` `-=` `*=` `x++;` `--x;` (by 1.0), declarations of locals with or without `const`,
//!   blocks, `if`/`else`, loops, and `Spike();` for an event. A name means one thing everywhere it is visible: hiding another
//!   is an error. Locals must have a value on every path before they are read.
//! - **Loops** `while (c) …`, `do … while (c);`, `for (start; c; step) …`, `break;` and `continue;` mean for each neuron what they
//!   mean in C. The 32 neurons of a vector go through a loop together, until the last of them has left it; random numbers are
//!   drawn for all of them as long. A loop whose condition can never change is refused; one that does not end for another
//!   reason keeps the machine for ever.
//! - **`+ -`, comparisons, `?:`, `min` and `max`** need both sides in one format. The result saturates if either side
//!   does.
//! - **`a * b`** has the format of the operand with more integer bits, and drops as many bits of the exact product as
//!   the other operand has fraction bits: `s0_15_t * s5_10_t` is an `s5_10_t`, shifted by 15. **`a @ b`** has the format
//!   of the operand with fewer integer bits instead, and drops the other's fraction bits. For both, `int16_t` counts as
//!   having the *fewest* integer bits: `int * fixed` is the fixed format with nothing dropped, `int @ fixed` an integer.
//!   **`x *= y`** keeps the format of `x` and drops the fraction bits of `y`.
//! - **Rounding** of products is [`Options::rounding`], except that products of two integers drop no bits and never draw
//!   a random number; `mul_rz`, `mul_rn` and `mul_rs` (a, b) are `*` with their own rounding. Products saturate if an
//!   operand's type does. With [`Options::published`] products never saturate, `*=` always rounds towards minus
//!   infinity, and a minus sign wraps, as in the published compiler.
//! - **Functions** `min(a, b)`, `max(a, b)`, `abs(a)` (which is `a < 0 ? -a : a`), `clamp(a, lowest, highest)` (which is
//!   `min(max(a, lowest), highest)`), and `fennrand()`, uniform in [0, 1) as `s0_15_t`. Arguments of the first four that are not
//!   single names or numbers are computed before the rest of their statement.
//! - **`exp(a)`, `log(a)`, `sqrt(a)`, `reciprocal(a)`, `sigmoid(a)`, `tanh(a)`** have the format of `a`, or as many fraction bits as
//!   their name says: `exp_9(a)` is an `s6_9_t`. They take 30 to 40 instructions for 32 neurons and a table of 65 numbers in
//!   each lane's memory, one for `exp`, `log`, `sqrt` and `reciprocal` each; `sigmoid` and `tanh` use those of
//!   `exp` and `reciprocal`. What lies outside the format saturates; `log(0)` is the least number, `sqrt` of negative numbers 0
//!   and `reciprocal(0)` the greatest number. For arguments of any format, results are at most so many units of their own
//!   format off:
//!
//!   | fraction bits of the result | up to 8 | 9 | 10 | 11 | 12 | 13 | 14 | 15 |
//!   | --- | --- | --- | --- | --- | --- | --- | --- | --- |
//!   | `exp` | 3.8 | 3.4 | 3.5 | 2.4 | 2.8 | 3.8 | 3.3 | 2.4 |
//!   | `log` | 1.0 | 1.0 | 1.0 | 1.1 | 1.2 | 1.3 | 1.6 | 1.7 |
//!   | `sqrt` | 3.0 | 3.0 | 3.0 | 3.0 | 3.0 | 3.0 | 3.0 | 3.0 |
//!   | `reciprocal` | 2.5 | 2.5 | 2.5 | 2.5 | 2.5 | 2.5 | 2.5 | 2.5 |
//!   | `sigmoid` | 0.6 | 0.6 | 0.7 | 0.8 | 1.1 | 1.6 | 2.7 | 4.3 |
//!   | `tanh` | 0.6 | 0.6 | 0.8 | 0.9 | 1.3 | 2.2 | 3.5 | 6.6 |
//!
//!   `exp` is the function published for FeNN: from s2.13 to s6.9, 95.892 % of all numbers are less than one unit off, and it never
//!   falls.
//! - **`x << n`, `x >> n`** by a constant 0 to 15 keep the type; the first wraps, the second rounds towards minus
//!   infinity. **`&`** is bitwise on integers.
//! - **Conditions** are comparisons joined by `&& || !` (or `&` and `|`); both sides are always evaluated. They are not
//!   numbers, and numbers are not conditions.
//!
//! Not here: `switch`, arrays and division (refused, each with a message), the values of parameters, and where the text is
//! stored.

mod ast;
mod check;
mod function;
mod lexer;
mod number;
mod parser;
mod scope;
mod value;

pub use crate::diagnostic::Source;
use crate::diagnostic::{self, Diagnostic, Severity};
use crate::kernel::{Kernel, Rounding, Type};
pub use number::{DecimalError, parse_decimal, parse_type};

/// More errors than these are not reported.
const MAX_ERRORS: usize = 100;

/// The names a program may use; each list becomes the kernel's, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Declarations {
    /// State that the program reads and assigns.
    pub variables: Vec<(String, Type)>,
    /// Constants of a run.
    pub parameters: Vec<(String, Type)>,
    /// What the program can emit.
    pub events: Vec<String>,
}

/// Choices that the text does not make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Of `*`, `@` and `*=`.
    pub rounding: Rounding,
    /// Exactly as the published compiler: products never saturate, `*=` truncates, a minus sign wraps.
    pub published: bool,
}

impl Default for Options {
    /// Round to nearest, saturate where types say so.
    fn default() -> Self {
        Self { rounding: Rounding::Nearest, published: false }
    }
}

/// The kernel that `source` describes and what is doubtful about it, or everything that is wrong with it; both in order
/// of the text.
pub fn compile(
    source: &Source<'_>,
    declarations: &Declarations,
    options: &Options,
) -> Result<(Kernel, Vec<Diagnostic>), Vec<Diagnostic>> {
    let (lexemes, mut diagnostics) = lexer::lex(source.text);
    let (statements, syntax) = parser::parse(source.text, &lexemes);
    let (kernel, meaning) = check::check(source.text, &statements, declarations, options);
    diagnostics.extend(syntax);
    diagnostics.extend(meaning);
    diagnostic::sort(&mut diagnostics);
    if diagnostics.iter().all(|diagnostic| diagnostic.severity != Severity::Error) {
        return Ok((kernel, diagnostics));
    }
    // Behind an error, doubts such as an unread local are mostly its consequence.
    diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    let total = diagnostics.len();
    if total > MAX_ERRORS {
        diagnostics.truncate(MAX_ERRORS);
        diagnostics.push(Diagnostic::error(format!("{} more errors are not shown", total - MAX_ERRORS)));
    }
    Err(diagnostics)
}
