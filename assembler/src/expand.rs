//! Which text is read: conditions, repetitions, macros and files.
//!
//! Contract: sources are read statement by statement, each being laid out before the next is looked at, since
//! conditions and repetitions ask for what is known by then. Text that a macro was expanded to becomes a source of its
//! own, whose places lead back to the call; `.rept` reads its body again where it stands. What is left out by a
//! condition is only searched for the directive that ends it.
//!
//! Invariant: nothing runs for ever. Expansions are as deep as [`DEEPEST`], together as long as [`MOST_STATEMENTS`] and
//! [`MOST_TEXT`] (both of what macros become and of what is read of it, again and again in repetitions), and inclusions as many as [`MOST_FILES`] and as long as [`MOST_FILE_BYTES`], in each assembly.
//!
//! Not here: macros' arguments (see [`crate::macros`]), and reading files (see [`crate::files`]).

use std::collections::HashMap;
use std::rc::Rc;

use typed_arena::Arena;

use crate::diagnostic::{Diagnostic, Problem, similar};
use crate::expression::Expression;
use crate::files::{Files, resolve};
use crate::layout::{Content, Layout};
use crate::lexer::{self, Token, TokenKind};
use crate::macros::{self, Argument, Macro};
use crate::parser::{self, Cursor, StatementKind};
use crate::scan::{self, Raw};
use crate::source::{Origin, Source, Span};

/// Expansions and inclusions within each other.
const DEEPEST: usize = 100;
/// Statements that come of expansions.
const MOST_STATEMENTS: u32 = 1 << 20;
/// Bytes of text that macros are expanded to, and also bytes that are read in expansions, passed over or not.
const MOST_TEXT: usize = 1 << 25;
/// Inclusions.
const MOST_FILES: usize = 4096;
/// Bytes of included files.
const MOST_FILE_BYTES: u64 = 1 << 28;
/// Diagnostics; nobody reads more.
pub(crate) const MOST_DIAGNOSTICS: usize = 10_000;

/// Searches for a macro that may have been meant.
const MOST_SUGGESTIONS: usize = 100;

/// The directives that are done here.
pub(crate) const DIRECTIVES: [&str; 33] = [
    ".if",
    ".ifeq",
    ".ifne",
    ".iflt",
    ".ifle",
    ".ifgt",
    ".ifge",
    ".ifdef",
    ".ifndef",
    ".ifnotdef",
    ".ifb",
    ".ifnb",
    ".ifc",
    ".ifnc",
    ".elseif",
    ".else",
    ".endif",
    ".rept",
    ".irp",
    ".irpc",
    ".endr",
    ".macro",
    ".endm",
    ".endmacro",
    ".exitm",
    ".purgem",
    ".include",
    ".incbin",
    ".error",
    ".err",
    ".end",
    ".rep",
    ".fail",
];

/// Text that is being read.
#[derive(Debug)]
struct Frame<'a> {
    source: u32,
    text: &'a str,
    at: usize,
    /// Text behind this belongs to whoever began the frame.
    end: usize,
    kind: Kind,
    /// Whether its statements count as expanded.
    expanded: bool,
    /// How many conditions were open when it began.
    conditions: usize,
}

impl Frame<'_> {
    /// Goes to the directive that ends the branch of a condition.
    fn pass_branch(&mut self) {
        let text = &self.text[..self.end];
        let mut depth = 0u32;
        while self.at < self.end {
            let Raw { word, next, start } = scan::statement(text, self.at);
            match word {
                ".endif" | ".else" | ".elseif" if depth == 0 => {
                    // Labels before it are left out with the branch.
                    self.at = start;
                    return;
                }
                ".endif" => depth -= 1,
                word if word.starts_with(".if") && DIRECTIVES.contains(&word) => depth += 1,
                _ => {}
            }
            self.at = next;
        }
    }

    /// Goes behind the directive that ends a body, and says where that begins.
    fn pass_body(&mut self, closing: &'static str) -> Option<usize> {
        let text = &self.text[..self.end];
        let mut depth = 0u32;
        while self.at < self.end {
            let Raw { word, next, start } = scan::statement(text, self.at);
            self.at = next;
            let opens = match closing {
                ".endm" => word == ".macro",
                _ => matches!(word, ".rept" | ".rep" | ".irp" | ".irpc"),
            };
            let closes = word == closing || closing == ".endm" && word == ".endmacro";
            match depth {
                0 if closes => return Some(start),
                _ if closes => depth -= 1,
                _ if opens => depth += 1,
                _ => {}
            }
        }
        None
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A given source or an included file.
    File(String),
    Macro,
    /// Arguments of `.irp` put in.
    Repeated,
    /// `.rept`: so many times more, from there.
    Again {
        left: u64,
        start: usize,
        call: Span,
    },
}

/// An open `.if`.
#[derive(Debug)]
struct Condition {
    span: Span,
    /// Whether one of its branches has been read.
    taken: bool,
    otherwise: bool,
}

/// Reads sources into a layout.
pub(crate) struct Expander<'a, 'd> {
    given: &'a [Source],
    arena: &'a Arena<Source>,
    files: &'a dyn Files,
    pub(crate) layout: Layout<'a>,
    diagnostics: &'d mut Vec<Diagnostic>,
    frames: Vec<Frame<'a>>,
    conditions: Vec<Condition>,
    macros: HashMap<&'a str, Rc<Macro<'a>>>,
    /// Macro calls so far, for `\@`.
    calls: u32,
    statements: u32,
    expanded: usize,
    read: usize,
    /// How often macros were searched for a name like an unknown one.
    suggestions: usize,
    included: usize,
    included_bytes: u64,
    /// Whether a limit stopped the assembly.
    pub(crate) stopped: bool,
}

impl<'a, 'd> Expander<'a, 'd> {
    pub(crate) fn new(
        given: &'a [Source],
        arena: &'a Arena<Source>,
        files: &'a dyn Files,
        layout: Layout<'a>,
        diagnostics: &'d mut Vec<Diagnostic>,
    ) -> Self {
        Self {
            given,
            arena,
            files,
            layout,
            diagnostics,
            frames: Vec::new(),
            conditions: Vec::new(),
            macros: HashMap::new(),
            calls: 0,
            statements: 0,
            expanded: 0,
            read: 0,
            suggestions: 0,
            included: 0,
            included_bytes: 0,
            stopped: false,
        }
    }

    /// Reads all given sources, one after the other; macros are known to those that follow too.
    pub(crate) fn run(&mut self) {
        let given = self.given;
        for (index, source) in (0u32..).zip(given) {
            if self.stopped {
                return;
            }
            if u32::try_from(source.text.len()).is_err() {
                self.diagnostics.push(Problem::SourceTooLong.at(Span { source: index, start: 0, end: 0 }));
                continue;
            }
            self.layout.begin(index);
            self.push(index, &source.text, Kind::File(resolve("", &source.name)));
            let mut tokens = Vec::new();
            while !self.frames.is_empty() {
                self.step(&mut tokens);
            }
        }
    }

    fn push(&mut self, source: u32, text: &'a str, kind: Kind) {
        let file = matches!(kind, Kind::File(_));
        let expanded = !file || self.frames.last().is_some_and(|frame| frame.expanded);
        let conditions = self.conditions.len();
        self.frames.push(Frame { source, text, at: 0, end: text.len(), kind, expanded, conditions });
    }

    /// Stops everything, with a last word.
    fn stop(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
        self.stopped = true;
        self.frames.clear();
        self.conditions.clear();
    }

    /// Reads one statement, or ends a frame.
    fn step(&mut self, tokens: &mut Vec<Token<'a>>) {
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.at >= frame.end {
            return self.end_of_frame();
        }
        let text: &'a str = frame.text;
        let (source, from) = (frame.source, frame.at);
        frame.at = lexer::statement(source, &text[..frame.end], from, tokens, self.diagnostics);
        let (expanded, read) = (frame.expanded, frame.at - from);
        if expanded && !self.charge(read, Span { source, start: from as u32, end: from as u32 }) {
            return;
        }
        let Some((end, tokens)) = tokens.split_last() else { return };
        if tokens.is_empty() {
            return;
        }
        let end = Span { end: end.span.start, ..end.span };
        let span = tokens[0].span.to(tokens.last().map_or(end, |token| token.span));
        if expanded && !self.count(span) {
            return;
        }
        if self.diagnostics.len() > MOST_DIAGNOSTICS {
            return self.stop(Problem::TooMany.at(span));
        }
        let mut cursor = Cursor::new(tokens, end);
        if let Err(diagnostic) = self.statement(&mut cursor, span, text) {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Counts something that is expanded; false where it is too much.
    fn count(&mut self, span: Span) -> bool {
        self.statements += 1;
        if self.statements > MOST_STATEMENTS {
            self.stop(Problem::ExpansionBudget.at(span));
            return false;
        }
        true
    }

    /// Counts bytes that were read in an expansion, or for one; false where they are too many.
    fn charge(&mut self, bytes: usize, span: Span) -> bool {
        self.read = self.read.saturating_add(bytes);
        if self.read > MOST_TEXT {
            self.stop(Problem::ExpansionBudget.at(span));
            return false;
        }
        true
    }

    fn end_of_frame(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        let conditions = frame.conditions;
        let mut again = None;
        if let Kind::Again { left, start, call } = &mut frame.kind
            && *left > 0
        {
            *left -= 1;
            frame.at = *start;
            again = Some(*call);
        }
        if again.is_none() {
            self.frames.pop();
        }
        let open = self.conditions.drain(conditions.min(self.conditions.len())..);
        let unclosed = Problem::Unclosed { name: ".if".to_owned(), closing: ".endif" };
        self.diagnostics.extend(open.map(|condition| unclosed.clone().at(condition.span)));
        if let Some(call) = again {
            self.count(call);
        }
    }

    fn statement(&mut self, cursor: &mut Cursor<'_, 'a>, span: Span, text: &'a str) -> Result<(), Diagnostic> {
        while let Some(label) = parser::label(cursor) {
            if let Err(diagnostic) = self.layout.add(label.kind, label.span) {
                self.diagnostics.push(diagnostic);
            }
        }
        if cursor.at_end() {
            return Ok(());
        }
        let (name, at) = (cursor.name(), cursor.span());
        let span = Span { start: at.start, ..span };
        if let Some(name) = name {
            if !self.macros.is_empty()
                && let Some(called) = self.macros.get(name).cloned()
            {
                cursor.advance();
                return self.call(&called, cursor, span, text);
            }
            if name.starts_with('.') && self.directive(name, cursor, span, text)? {
                return Ok(());
            }
        }
        let body = parser::body(cursor, self.layout.relax);
        let kind = match body {
            Ok(kind) => kind,
            Err(diagnostic) => {
                if let Some(name) = name
                    && !name.starts_with('.')
                {
                    // Its place is kept, so that no address after it is wrong. That the memory is full is said elsewhere.
                    let _ = self.layout.add(StatementKind::Broken, span);
                }
                return Err(self.suggest_macro(diagnostic));
            }
        };
        self.layout.add(kind, span)
    }

    /// A macro may have been meant where no instruction has the name.
    ///
    /// Each suggestion looks at every macro; nobody reads more than some.
    fn suggest_macro(&mut self, diagnostic: Diagnostic) -> Diagnostic {
        match diagnostic.problem {
            Problem::UnknownInstruction { name, similar: None } if self.suggestions < MOST_SUGGESTIONS => {
                self.suggestions += 1;
                let mut names: Vec<&str> = self.macros.keys().copied().collect();
                names.sort_unstable();
                let similar = similar(&name, names);
                Diagnostic { problem: Problem::UnknownInstruction { name, similar }, ..diagnostic }
            }
            problem => Diagnostic { problem, ..diagnostic },
        }
    }

    /// Does what the directive says, if it is one of [`DIRECTIVES`].
    fn directive(
        &mut self,
        name: &'a str,
        cursor: &mut Cursor<'_, 'a>,
        span: Span,
        text: &'a str,
    ) -> Result<bool, Diagnostic> {
        if !DIRECTIVES.contains(&name) {
            return Ok(false);
        }
        cursor.advance();
        match name {
            ".elseif" | ".else" | ".endif" => self.branch(name, cursor, span)?,
            ".rept" | ".rep" => self.repeat(cursor, span)?,
            ".irp" | ".irpc" => self.repeat_with(name == ".irpc", cursor, span, text)?,
            ".macro" => self.define(cursor, span, text)?,
            ".exitm" => self.leave_macro(cursor, span)?,
            ".purgem" => {
                let (name, at) = cursor.expect_symbol()?;
                cursor.expect_end()?;
                self.macros.remove(name).ok_or_else(|| Problem::NoMacro(name.to_owned()).at(at))?;
            }
            ".endm" | ".endmacro" => return Err(Problem::Unopened { name: ".endm", opening: ".macro" }.at(span)),
            ".endr" => return Err(Problem::Unopened { name: ".endr", opening: ".rept" }.at(span)),
            ".include" => self.include(cursor, span)?,
            ".incbin" => self.incbin(cursor, span)?,
            ".error" => {
                let message = text_argument(cursor)?;
                cursor.expect_end()?;
                return Err(Problem::Said(message).at(span));
            }
            ".err" | ".fail" => return Err(Problem::Said("`.err` was reached".to_owned()).at(span)),
            ".end" => {
                // Nothing behind it is read, in this file.
                while let Some(frame) = self.frames.last_mut() {
                    frame.at = frame.end;
                    if let Kind::Again { left, .. } = &mut frame.kind {
                        *left = 0;
                    }
                    if matches!(frame.kind, Kind::File(_)) {
                        break;
                    }
                    self.end_of_frame();
                }
            }
            condition => {
                let taken = self.condition(condition, cursor, text);
                // A condition that has no value is as good as false, and its `.endif` is still its own.
                let (taken, problem) = taken.map_or_else(|problem| (false, Some(problem)), |taken| (taken, None));
                self.conditions.push(Condition { span, taken: taken || problem.is_some(), otherwise: false });
                if !taken {
                    self.skip(span);
                }
                return problem.map_or(Ok(true), Err);
            }
        }
        Ok(true)
    }

    /// Whether the condition that begins with `name` holds.
    fn condition(&mut self, name: &str, cursor: &mut Cursor<'_, 'a>, text: &'a str) -> Result<bool, Diagnostic> {
        match name {
            ".ifdef" | ".ifndef" | ".ifnotdef" => {
                let (symbol, _) = cursor.expect_symbol()?;
                cursor.expect_end()?;
                let symbols = &self.layout.symbols;
                let key = symbols.key(symbol, self.layout.site().scope);
                Ok(symbols.defined(key).is_some() == (name == ".ifdef"))
            }
            ".ifb" | ".ifnb" => Ok(cursor.at_end() == (name == ".ifb")),
            ".ifc" | ".ifnc" => {
                let given = macros::arguments(cursor.rest(), text);
                let [one, other] = given.as_slice() else { return Err(cursor.expected("two texts and a comma")) };
                Ok((one.text == other.text) == (name == ".ifc"))
            }
            _ => {
                let value = Expression::parse(cursor)?;
                cursor.expect_end()?;
                let number = self.layout.known(&value, "the condition", i64::MIN, i64::MAX)?;
                Ok(match name {
                    ".ifeq" => number == 0,
                    ".iflt" => number < 0,
                    ".ifle" => number <= 0,
                    ".ifgt" => number > 0,
                    ".ifge" => number >= 0,
                    // `.if`, `.ifne` and `.elseif`.
                    _ => number != 0,
                })
            }
        }
    }

    /// `.elseif`, `.else` and `.endif`.
    fn branch(&mut self, name: &'a str, cursor: &mut Cursor<'_, 'a>, span: Span) -> Result<(), Diagnostic> {
        let own = self.frames.last().is_some_and(|frame| self.conditions.len() > frame.conditions);
        let unopened = |name| Problem::Unopened { name, opening: ".if" }.at(span);
        let Some(condition) = self.conditions.last_mut().filter(|_| own) else {
            return Err(unopened(match name {
                ".elseif" => ".elseif",
                ".else" => ".else",
                _ => ".endif",
            }));
        };
        if name == ".endif" {
            self.conditions.pop();
            return cursor.expect_end();
        }
        if condition.otherwise {
            let first = condition.span;
            return Err(Problem::AfterElse { first }.at(span));
        }
        condition.otherwise = name == ".else";
        if condition.taken {
            self.skip(span);
            return Ok(());
        }
        if name == ".else" {
            condition.taken = true;
            return cursor.expect_end();
        }
        let taken = self.condition(name, cursor, "");
        if let Some(condition) = self.conditions.last_mut() {
            condition.taken = *taken.as_ref().unwrap_or(&true);
        }
        if !matches!(taken, Ok(true)) {
            self.skip(span);
        }
        taken.map(|_| ())
    }

    /// To the directive that ends the branch which is not taken; `span` is what begins it.
    fn skip(&mut self, span: Span) {
        let Some(frame) = self.frames.last_mut() else { return };
        let (from, expanded) = (frame.at, frame.expanded);
        frame.pass_branch();
        let passed = frame.at - from;
        if expanded {
            self.charge(passed, span);
        }
    }

    /// The text up to the directive that ends a body, which begins at the current place; the frame goes on behind it.
    fn body(&mut self, opening: &'static str, closing: &'static str, span: Span) -> Result<(usize, usize), Diagnostic> {
        let unclosed = Problem::Unclosed { name: opening.to_owned(), closing }.at(span);
        let Some(frame) = self.frames.last_mut() else { return Err(unclosed) };
        let (begin, expanded) = (frame.at, frame.expanded);
        let end = frame.pass_body(closing);
        let passed = frame.at - begin;
        if expanded {
            self.charge(passed, span);
        }
        end.map(|end| (begin, end)).ok_or(unclosed)
    }

    fn repeat(&mut self, cursor: &mut Cursor<'_, 'a>, span: Span) -> Result<(), Diagnostic> {
        let count = Expression::parse(cursor).and_then(|count| {
            cursor.expect_end()?;
            self.layout.known(&count, "the number of times", 0, i64::from(u32::MAX))
        });
        let (start, end) = self.body(".rept", ".endr", span)?;
        let Some(left) = (count? as u64).checked_sub(1) else { return Ok(()) };
        let Some(Frame { source, text, .. }) = self.frames.last() else { return Ok(()) };
        let (source, text) = (*source, *text);
        self.deeper(span)?;
        self.push(source, text, Kind::Again { left, start, call: span });
        if let Some(frame) = self.frames.last_mut() {
            (frame.at, frame.end) = (start, end);
        }
        Ok(())
    }

    fn repeat_with(
        &mut self,
        characters: bool,
        cursor: &mut Cursor<'_, 'a>,
        span: Span,
        text: &'a str,
    ) -> Result<(), Diagnostic> {
        let header = cursor.expect_symbol().map(|(name, _)| {
            cursor.take_mark(",");
            (name, macros::arguments(cursor.rest(), text))
        });
        let opening = if characters { ".irpc" } else { ".irp" };
        let (start, end) = self.body(opening, ".endr", span)?;
        let (name, given) = header?;
        let values: Vec<String> = match given.as_slice() {
            [] => vec![String::new()],
            [one, ..] if characters => one.text.chars().map(String::from).collect(),
            all => all.iter().map(|argument| argument.text.to_owned()).collect(),
        };
        self.deeper(span)?;
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let body = &frame.text[start..end];
        let mut expansion = String::new();
        for value in values {
            if !self.charge(body.len(), span) {
                return Ok(());
            }
            let most = MOST_TEXT.saturating_sub(self.expanded);
            macros::substitute(body, &[(name, value.as_str())], None, most, &mut expansion);
            if expansion.len() > most {
                break;
            }
        }
        self.expansion(expansion, format!("`{opening} {name}`"), span, Kind::Repeated);
        Ok(())
    }

    fn define(&mut self, cursor: &mut Cursor<'_, 'a>, span: Span, text: &'a str) -> Result<(), Diagnostic> {
        let header = macros::header(cursor, text);
        let (start, end) = self.body(".macro", ".endm", span)?;
        let (name, at, parameters) = header?;
        let Some(frame) = self.frames.last() else { return Ok(()) };
        let defined = Macro { name, parameters, body: &frame.text[start..end], span: at };
        if let Some(first) = self.macros.get(name) {
            return Err(Problem::DuplicateMacro { name: name.to_owned(), first: first.span }.at(at));
        }
        self.macros.insert(name, Rc::new(defined));
        Ok(())
    }

    fn call(
        &mut self,
        called: &Macro<'a>,
        cursor: &mut Cursor<'_, 'a>,
        span: Span,
        text: &'a str,
    ) -> Result<(), Diagnostic> {
        let given: Vec<Argument<'_>> = macros::arguments(cursor.rest(), text);
        self.deeper(span)?;
        let mut expansion = String::new();
        let bound = called.bind(&given, span)?;
        let values: Vec<(&str, &str)> = bound.iter().map(|(name, value)| (*name, value.as_ref())).collect();
        // Many parameters are work too, where they are all empty.
        if !self.charge(called.body.len() + 16 * values.len(), span) {
            return Ok(());
        }
        macros::substitute(
            called.body,
            &values,
            Some(self.calls),
            MOST_TEXT.saturating_sub(self.expanded),
            &mut expansion,
        );
        self.calls += 1;
        self.expansion(expansion, format!("macro `{}`", called.name), span, Kind::Macro);
        Ok(())
    }

    /// Refuses what is nested too deeply, which is what a macro that calls itself for ever becomes.
    fn deeper(&self, span: Span) -> Result<(), Diagnostic> {
        if self.frames.len() >= DEEPEST { Err(Problem::ExpansionDepth(DEEPEST).at(span)) } else { Ok(()) }
    }

    fn expansion(&mut self, text: String, what: String, call: Span, kind: Kind) {
        self.expanded += text.len();
        if self.expanded > MOST_TEXT {
            return self.stop(Problem::ExpansionBudget.at(call));
        }
        if !self.count(call) {
            return;
        }
        let name = format!("<{}>", what.replace('`', ""));
        self.add(Source { name, text, origin: Origin::Expansion { what, call } }, kind);
    }

    fn add(&mut self, source: Source, kind: Kind) {
        let index = self.given.len() + self.arena.len();
        let source: &'a Source = self.arena.alloc(source);
        self.push(index as u32, &source.text, kind);
    }

    fn leave_macro(&mut self, cursor: &Cursor<'_, 'a>, span: Span) -> Result<(), Diagnostic> {
        cursor.expect_end()?;
        let last_file = self.frames.iter().rposition(|frame| matches!(frame.kind, Kind::File(_))).unwrap_or(0);
        let found = self.frames.iter().rposition(|frame| frame.kind == Kind::Macro).filter(|at| *at > last_file);
        let found = found.ok_or_else(|| Problem::Unopened { name: ".exitm", opening: ".macro" }.at(span))?;
        let conditions = self.frames[found].conditions;
        self.frames.truncate(found);
        self.conditions.truncate(conditions);
        Ok(())
    }

    /// The bytes of the file that the statement names, and its path.
    fn file(&mut self, cursor: &mut Cursor<'_, 'a>, span: Span) -> Result<(Vec<u8>, String), Diagnostic> {
        let at = cursor.span();
        let given = text_argument(cursor)?;
        let from = self.frames.iter().rev().find_map(|frame| match &frame.kind {
            Kind::File(name) => Some(name.as_str()),
            _ => None,
        });
        let path = resolve(from.unwrap_or_default(), &given);
        self.included += 1;
        if self.included > MOST_FILES {
            self.stop(Problem::FileBudget(MOST_FILES).at(span));
            return Err(Problem::FileBudget(MOST_FILES).at(span));
        }
        let bytes = self.files.read(&path, MOST_FILE_BYTES - self.included_bytes);
        let bytes = bytes.map_err(|why| Problem::File { path: path.clone(), why }.at(at))?;
        // Whoever gives the files keeps the limit.
        self.included_bytes = MOST_FILE_BYTES.min(self.included_bytes + bytes.len() as u64);
        Ok((bytes, path))
    }

    fn include(&mut self, cursor: &mut Cursor<'_, 'a>, span: Span) -> Result<(), Diagnostic> {
        self.deeper(span)?;
        let (bytes, path) = self.file(cursor, span)?;
        cursor.expect_end()?;
        if self.frames.iter().any(|frame| matches!(&frame.kind, Kind::File(name) if *name == path)) {
            return Err(Problem::IncludeCycle(path).at(span));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let why = format!("it is not UTF-8 text: byte {}", error.utf8_error().valid_up_to());
            Problem::File { path: path.clone(), why }.at(span)
        })?;
        self.add(Source { name: path.clone(), text, origin: Origin::Included(span) }, Kind::File(path));
        Ok(())
    }

    fn incbin(&mut self, cursor: &mut Cursor<'_, 'a>, span: Span) -> Result<(), Diagnostic> {
        let (mut bytes, _) = self.file(cursor, span)?;
        let length = bytes.len() as i64;
        if cursor.take_mark(",") {
            let skip = Expression::parse(cursor)?;
            let skip = self.layout.known(&skip, "the number of bytes to leave out", 0, length)?;
            bytes.drain(..skip as usize);
            if cursor.take_mark(",") {
                let count = Expression::parse(cursor)?;
                let count = self.layout.known(&count, "the number of bytes", 0, bytes.len() as i64)?;
                bytes.truncate(count as usize);
            }
        }
        cursor.expect_end()?;
        self.layout.place(Content::Bytes(bytes), span)
    }
}

/// A string that is a name or a message.
fn text_argument(cursor: &mut Cursor<'_, '_>) -> Result<String, Diagnostic> {
    let Some(TokenKind::Text(bytes)) = cursor.peek() else { return Err(cursor.expected("a string")) };
    let text = String::from_utf8_lossy(bytes).into_owned();
    cursor.advance();
    Ok(text)
}
