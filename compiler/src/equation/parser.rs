//! Tokens to statements.
//!
//! Contract: parsing never fails. Whatever is wrong is reported, at most once per statement, and left out; parsing goes
//! on behind the next `;` or at the next `{` or `}`. No tree is deeper than [`MAX_DEPTH`], so that recursion over it is
//! safe. Operators bind as in C; `@` binds like `*`.
//!
//! Rules named `opt_…` may yield nothing; the others yield a node or have reported why not.

use crate::diagnostic::Diagnostic;

use super::ast::{AssignOp, Declarator, Expr, ExprKind, Loop, Span, Stmt, Word};
use super::lexer::{Lexeme, Token};
use super::number::parse_type;

/// How deep brackets, blocks and operators may be nested together. More than anyone writes, and little enough stack.
pub(super) const MAX_DEPTH: u32 = 200;

/// Words of C that have no meaning here, but cannot be names either.
pub(super) const REFUSED: [(&str, &str); 8] = [
    ("switch", "`switch` is not supported"),
    ("case", "`switch` is not supported"),
    ("default", "`switch` is not supported"),
    ("goto", "jumps do not exist here"),
    ("return", "there is nothing to return to"),
    ("true", "constant conditions do not exist here"),
    ("false", "constant conditions do not exist here"),
    ("struct", "structures do not exist here"),
];

/// Whether `text` has a meaning of its own in the grammar.
pub(super) fn is_keyword(text: &str) -> bool {
    matches!(text, "if" | "else" | "const" | "while" | "do" | "for" | "break" | "continue")
        || REFUSED.iter().any(|(word, _)| *word == text)
}

/// Something was reported; the statement cannot be understood.
struct Reported;

type Parsed<T> = Result<T, Reported>;

/// The statements of `text`, and what is wrong with its syntax.
pub(super) fn parse(text: &str, lexemes: &[Lexeme]) -> (Vec<Stmt>, Vec<Diagnostic>) {
    let mut parser = Parser { text, lexemes, at: 0, depth: 0, too_deep_reported: false, diagnostics: Vec::new() };
    let mut statements = Vec::new();
    while parser.token() != Token::End {
        if parser.opt("}") {
            let span = parser.previous();
            parser.report(Diagnostic::error("this `}` closes nothing").at(span, "no `{` before it").help("remove it"));
            continue;
        }
        statements.push(parser.statement());
    }
    (statements, parser.diagnostics)
}

struct Parser<'a> {
    text: &'a str,
    /// Not empty; the last one is [`Token::End`].
    lexemes: &'a [Lexeme],
    at: usize,
    depth: u32,
    too_deep_reported: bool,
    diagnostics: Vec<Diagnostic>,
}

/// Looking at tokens.
impl<'a> Parser<'a> {
    fn lexeme(&self, ahead: usize) -> &'a Lexeme {
        &self.lexemes[(self.at + ahead).min(self.lexemes.len() - 1)]
    }

    fn token(&self) -> Token {
        self.lexeme(0).token
    }

    fn span(&self) -> Span {
        self.lexeme(0).span.clone()
    }

    fn previous(&self) -> Span {
        self.lexemes[self.at.saturating_sub(1)].span.clone()
    }

    /// From `start` to the last token taken.
    fn since(&self, start: usize) -> Span {
        start..self.previous().end.max(start)
    }

    /// The text of the token, if it is a name, keyword or type.
    fn peek_name(&self, ahead: usize) -> Option<&'a str> {
        let lexeme = self.lexeme(ahead);
        (lexeme.token == Token::Name).then(|| &self.text[lexeme.span.clone()])
    }

    fn peek_mark(&self) -> Option<&'static str> {
        match self.token() {
            Token::Mark(mark) => Some(mark),
            _ => None,
        }
    }

    fn bump(&mut self) {
        if self.token() != Token::End {
            self.at += 1;
        }
    }

    fn opt(&mut self, mark: &str) -> bool {
        let found = self.peek_mark() == Some(mark);
        if found {
            self.bump();
        }
        found
    }

    fn opt_keyword(&mut self, keyword: &str) -> bool {
        let found = self.peek_name(0) == Some(keyword);
        if found {
            self.bump();
        }
        found
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports that `what` should be here, unless the token was reported already.
    fn unexpected(&mut self, what: &str) -> Reported {
        let found = &self.text[self.span()];
        let diagnostic = match self.token() {
            Token::Unknown => return Reported,
            Token::End => Diagnostic::error(format!("the text ends where {what} is needed"))
                .at(self.previous(), format!("{what} is missing behind this")),
            _ => Diagnostic::error(format!("{what} is needed here, not `{found}`")).at(self.span(), "not expected"),
        };
        let help = match found {
            "=" => "`=` is a statement of its own; conditions compare with `==`",
            "++" | "--" => "`++` and `--` are statements of their own",
            _ => REFUSED.iter().find(|(word, _)| *word == found).map_or("", |(_, reason)| reason),
        };
        self.report(if help.is_empty() { diagnostic } else { diagnostic.help(help) });
        Reported
    }

    fn expect(&mut self, mark: &'static str) -> Parsed<()> {
        if self.opt(mark) { Ok(()) } else { Err(self.unexpected(&format!("`{mark}`"))) }
    }

    /// Skips to behind the next `;`, or to the next brace, whichever comes first.
    fn recover(&mut self) {
        while !matches!(self.token(), Token::End | Token::Mark("{" | "}")) {
            let done = self.peek_mark() == Some(";");
            self.bump();
            if done {
                break;
            }
        }
    }

    /// Skips from an `open` to behind its `close`, or nothing if there is no `open`.
    fn skip_balanced(&mut self, open: &str, close: &str) {
        let mut level = 0u32;
        while self.token() != Token::End {
            if self.peek_mark() == Some(open) {
                level += 1;
            } else if level > 0 && self.peek_mark() == Some(close) {
                level -= 1;
            } else if level == 0 {
                return;
            }
            self.bump();
            if level == 0 {
                return;
            }
        }
    }

    /// Runs `rule` one level deeper, unless that is too deep.
    fn nested<T>(&mut self, rule: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            let span = self.span();
            return Err(self.too_deep(span));
        }
        self.depth += 1;
        let result = rule(self);
        self.depth -= 1;
        result
    }

    fn too_deep(&mut self, span: Span) -> Reported {
        // Once: whoever nests too deep does so at many tokens.
        if std::mem::replace(&mut self.too_deep_reported, true) {
            return Reported;
        }
        self.report(
            Diagnostic::error(format!("this is nested more than {MAX_DEPTH} levels deep"))
                .at(span, "too deep")
                .help("compute parts of it into local variables first"),
        );
        Reported
    }
}

/// Statements.
impl Parser<'_> {
    /// Takes at least one token, unless at the end.
    fn statement(&mut self) -> Stmt {
        let start = self.at;
        let parsed = self.nested(Self::statement_inner);
        parsed.unwrap_or_else(|Reported| {
            self.recover();
            if self.at == start {
                self.bump();
            }
            Stmt::Empty
        })
    }

    fn statement_inner(&mut self) -> Parsed<Stmt> {
        if self.opt("{") {
            return Ok(self.block());
        }
        if self.opt(";") {
            return Ok(Stmt::Empty);
        }
        if let Some(name) = self.peek_name(0) {
            let types = self.peek_name(1).is_some() || parse_type(name).is_some();
            match name {
                "if" => return self.if_statement(),
                "while" => return self.while_statement(),
                "do" => return self.do_statement(),
                "for" => return self.for_statement(),
                "break" | "continue" => {
                    let span = self.span();
                    self.bump();
                    self.end_of_statement();
                    return Ok(Stmt::Jump { continues: name == "continue", span });
                }
                "else" => {
                    let problem =
                        Diagnostic::error("this `else` belongs to no `if`").at(self.span(), "no `if` before it");
                    self.report(problem.help("only one statement or block may stand between `if (…)` and `else`"));
                    self.bump();
                    return Ok(Stmt::Empty);
                }
                _ if REFUSED.iter().any(|(word, _)| *word == name) => return self.refused(name),
                _ if name == "const" || types => return self.declaration(),
                _ => {}
            }
        }
        self.assignment()
    }

    /// Behind the `{`.
    fn block(&mut self) -> Stmt {
        let open = self.previous();
        let mut statements = Vec::new();
        while !self.opt("}") {
            if self.token() == Token::End {
                self.report(
                    Diagnostic::error("this block does not end").at(open, "opened here").help("close it with `}`"),
                );
                break;
            }
            statements.push(self.statement());
        }
        Stmt::Block(statements)
    }

    fn if_statement(&mut self) -> Parsed<Stmt> {
        self.bump();
        let condition = self.header();
        let then = Box::new(self.statement());
        let otherwise = if self.opt_keyword("else") { Some(Box::new(self.statement())) } else { None };
        Ok(Stmt::If { condition, then, otherwise })
    }

    fn while_statement(&mut self) -> Parsed<Stmt> {
        let span = self.span();
        self.bump();
        let condition = Some(self.header());
        let body = self.statement();
        let (start, step) = (Vec::new(), Vec::new());
        Ok(Stmt::Loop(Box::new(Loop { span, start, tested_first: true, condition, step, body })))
    }

    fn do_statement(&mut self) -> Parsed<Stmt> {
        let span = self.span();
        self.bump();
        let body = self.statement();
        if !self.opt_keyword("while") {
            return Err(self.unexpected("`while`"));
        }
        let condition = Some(self.header());
        self.end_of_statement();
        let (start, step) = (Vec::new(), Vec::new());
        Ok(Stmt::Loop(Box::new(Loop { span, start, tested_first: false, condition, step, body })))
    }

    /// `for (start; condition; step) body`; each of the three may be missing.
    fn for_statement(&mut self) -> Parsed<Stmt> {
        let span = self.span();
        self.bump();
        let head = self.at;
        let parts = self.for_head();
        let (start, condition, step) = parts.unwrap_or_else(|Reported| {
            // The body is understood all the same.
            self.at = head;
            self.skip_balanced("(", ")");
            (Vec::new(), Some(Expr::new(ExprKind::Error, span.clone())), Vec::new())
        });
        let body = self.statement();
        Ok(Stmt::Loop(Box::new(Loop { span, start, tested_first: true, condition, step, body })))
    }

    fn for_head(&mut self) -> Parsed<(Vec<Stmt>, Option<Expr>, Vec<Stmt>)> {
        self.expect("(")?;
        let mut start = Vec::new();
        if !self.opt(";") {
            let declared = self
                .peek_name(0)
                .is_some_and(|name| name == "const" || self.peek_name(1).is_some() || parse_type(name).is_some());
            if declared {
                start.push(self.declaration_inner()?);
            } else {
                start = self.simple_statements()?;
            }
            self.expect(";")?;
        }
        let condition = if self.peek_mark() == Some(";") { None } else { Some(self.expression()?) };
        self.expect(";")?;
        let step = if self.peek_mark() == Some(")") { Vec::new() } else { self.simple_statements()? };
        self.expect(")")?;
        Ok((start, condition, step))
    }

    /// Statements without their ends, separated by commas.
    fn simple_statements(&mut self) -> Parsed<Vec<Stmt>> {
        let mut statements = vec![self.simple()?];
        while self.opt(",") {
            statements.push(self.simple()?);
        }
        Ok(statements)
    }

    /// `( condition )`; skips to its end if it is not understood, so that the body still is.
    fn header(&mut self) -> Expr {
        let start = self.at;
        let parsed = self.expect("(").and_then(|()| self.expression()).and_then(|condition| {
            self.expect(")")?;
            Ok(condition)
        });
        parsed.unwrap_or_else(|Reported| {
            self.at = start;
            let span = self.span();
            let bracketed = self.peek_mark() == Some("(");
            let mut level = 0u32;
            while !matches!(self.token(), Token::End | Token::Mark("{" | "}" | ";")) {
                match self.peek_mark() {
                    Some("(") => level += 1,
                    Some(")") => level = level.saturating_sub(1),
                    _ => {}
                }
                self.bump();
                if bracketed && level == 0 {
                    break;
                }
            }
            Expr::new(ExprKind::Error, span)
        })
    }

    /// A statement of C that this language does not have: reported, and taken as a whole.
    fn refused(&mut self, keyword: &str) -> Parsed<Stmt> {
        let reason = REFUSED.iter().find(|(word, _)| *word == keyword).map_or("not supported", |(_, reason)| reason);
        let help = match keyword {
            "switch" | "case" | "default" => "write `if (…) { … } else if (…) { … }`",
            _ => "use `if` and `else`",
        };
        self.report(Diagnostic::error(reason).at(self.span(), format!("`{keyword}`")).help(help));
        match keyword {
            "switch" => {
                self.bump();
                self.skip_balanced("(", ")");
                self.skip_balanced("{", "}");
            }
            _ => self.recover(),
        }
        Ok(Stmt::Empty)
    }

    fn declaration(&mut self) -> Parsed<Stmt> {
        let declared = self.declaration_inner()?;
        self.end_of_statement();
        Ok(declared)
    }

    /// Without its end.
    fn declaration_inner(&mut self) -> Parsed<Stmt> {
        let constant = self.opt_keyword("const");
        let ty = self.word("a type")?;
        // C also allows the qualifier behind the type.
        let constant = self.opt_keyword("const") || constant;
        let mut items = Vec::new();
        loop {
            let name = self.word("a name")?;
            if self.peek_mark() == Some("[") {
                return Err(self.array());
            }
            let value = if self.opt("=") { Some(self.expression()?) } else { None };
            items.push(Declarator { name, value });
            if !self.opt(",") {
                break;
            }
        }
        Ok(Stmt::Declare { constant, ty, items })
    }

    fn word(&mut self, what: &str) -> Parsed<Word> {
        match self.peek_name(0) {
            Some(text) if !is_keyword(text) => {
                let span = self.span();
                self.bump();
                Ok(Word { text: text.to_owned(), span })
            }
            _ => Err(self.unexpected(what)),
        }
    }

    /// Anything that starts with an expression.
    fn assignment(&mut self) -> Parsed<Stmt> {
        let simple = self.simple()?;
        self.end_of_statement();
        Ok(simple)
    }

    /// Without its end.
    fn simple(&mut self) -> Parsed<Stmt> {
        let start = self.span().start;
        if let Some(mark @ ("++" | "--")) = self.peek_mark() {
            self.bump();
            let target = self.expression()?;
            return Ok(Stmt::Step { target, increment: mark == "++", span: self.since(start) });
        }
        let target = self.expression()?;
        let op = match self.peek_mark() {
            Some("=") => AssignOp::Set,
            Some("+=") => AssignOp::Add,
            Some("-=") => AssignOp::Sub,
            Some("*=") => AssignOp::Multiply,
            Some(mark @ ("/=" | "%=" | "@=" | "&=" | "|=" | "^=" | "<<=" | ">>=")) => AssignOp::Refused(mark),
            Some(mark @ ("++" | "--")) => {
                self.bump();
                let span = self.since(start);
                return Ok(Stmt::Step { target, increment: mark == "++", span });
            }
            _ => return Ok(Stmt::Call(target)),
        };
        let op_span = self.span();
        self.bump();
        let value = self.expression()?;
        Ok(Stmt::Assign { target, op, op_span, value })
    }

    /// Takes a `;`. If it is only missing, says so and goes on as if it were there.
    fn end_of_statement(&mut self) {
        if self.opt(";") {
            return;
        }
        match self.token() {
            Token::Name | Token::End | Token::Mark("{" | "}") => {
                let span = self.previous();
                self.report(
                    Diagnostic::error("a `;` is missing").at(span, "behind this").help("every statement ends with `;`"),
                );
            }
            _ => {
                self.unexpected("`;`");
                self.recover();
            }
        }
    }
}

/// How tightly a binary operator binds, as in C, from `||` upwards.
fn level(mark: &str) -> Option<u8> {
    Some(match mark {
        "||" => 1,
        "&&" => 2,
        "|" => 3,
        "^" => 4,
        "&" => 5,
        "==" | "!=" => 6,
        "<" | "<=" | ">" | ">=" => 7,
        "<<" | ">>" => 8,
        "+" | "-" => 9,
        "*" | "/" | "%" | "@" => 10,
        _ => return None,
    })
}

/// Expressions.
impl Parser<'_> {
    fn expression(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            let condition = parser.binary(1)?;
            if !parser.opt("?") {
                return Ok(condition);
            }
            let then = parser.expression()?;
            parser.expect(":")?;
            let otherwise = parser.expression()?;
            let span = condition.span.start..otherwise.span.end;
            let (condition, then, otherwise) = (Box::new(condition), Box::new(then), Box::new(otherwise));
            parser.node(ExprKind::Conditional { condition, then, otherwise }, span)
        })
    }

    /// Operators that bind at least as tightly as `lowest`, from left to right.
    fn binary(&mut self, lowest: u8) -> Parsed<Expr> {
        let mut left = self.unary()?;
        while let Some(op) = self.peek_mark()
            && let Some(level) = level(op)
            && level >= lowest
        {
            let op_span = self.span();
            self.bump();
            let right = self.nested(|parser| parser.binary(level + 1))?;
            let span = left.span.start..right.span.end;
            let (boxed_left, boxed_right) = (Box::new(left), Box::new(right));
            left = self.node(ExprKind::Binary { op, op_span, left: boxed_left, right: boxed_right }, span)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        match self.peek_mark() {
            Some(op @ ("-" | "+" | "!" | "~")) => {
                self.bump();
                let operand = Box::new(self.nested(Self::unary)?);
                let span = start..operand.span.end;
                self.node(ExprKind::Unary { op, operand }, span)
            }
            _ => self.postfix(),
        }
    }

    fn postfix(&mut self) -> Parsed<Expr> {
        let operand = self.primary()?;
        match self.peek_mark() {
            Some("[") => Err(self.array()),
            Some(mark @ ("." | "->")) => {
                let problem = Diagnostic::error("structures do not exist here").at(self.span(), format!("`{mark}`"));
                self.report(problem.help("declare each quantity as a variable of its own"));
                Err(Reported)
            }
            _ => Ok(operand),
        }
    }

    fn array(&mut self) -> Reported {
        self.report(
            Diagnostic::error("arrays are not supported yet")
                .at(self.span(), "`[`")
                .help("every variable has one value per neuron, without an index"),
        );
        Reported
    }

    fn primary(&mut self) -> Parsed<Expr> {
        let span = self.span();
        let text = &self.text[span.clone()];
        match self.token() {
            Token::Number => {
                self.bump();
                self.node(ExprKind::Number(text.to_owned()), span)
            }
            Token::Name if is_keyword(text) => Err(self.unexpected("a value")),
            Token::Name => {
                self.bump();
                if self.peek_mark() == Some("(") {
                    return self.call(Word { text: text.to_owned(), span });
                }
                self.node(ExprKind::Name(text.to_owned()), span)
            }
            Token::Mark("(") => self.group(),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn group(&mut self) -> Parsed<Expr> {
        let start = self.span().start;
        self.bump();
        if let Some(ty) = self.peek_name(0).filter(|name| parse_type(name).is_some()) {
            let problem = Diagnostic::error("conversions are not written like this").at(self.span(), "a type");
            self.report(problem.help(format!(
                "multiply by 1 instead: `x * 1.0hN` goes to a format with fewer fraction bits, `x @ 1.0hN` to one with \
                 more, where N is the number of fraction bits of {ty}"
            )));
            return Err(Reported);
        }
        let inner = self.expression()?;
        self.expect(")")?;
        let span = self.since(start);
        self.node(ExprKind::Group(Box::new(inner)), span)
    }

    fn call(&mut self, function: Word) -> Parsed<Expr> {
        self.bump();
        let mut arguments = Vec::new();
        if !self.opt(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.opt(",") {
                    break;
                }
            }
            self.expect(")")?;
        }
        let span = self.since(function.span.start);
        self.node(ExprKind::Call { function, arguments }, span)
    }

    /// A node, unless its tree would be too deep: chains such as `a + a + …` grow without recursion here.
    fn node(&mut self, kind: ExprKind, span: Span) -> Parsed<Expr> {
        let expr = Expr::new(kind, span);
        if expr.depth > MAX_DEPTH {
            return Err(self.too_deep(expr.span));
        }
        Ok(expr)
    }
}
