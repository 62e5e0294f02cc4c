//! What the parser makes of a text: the statements as written, every node with its bytes.

use std::ops::Range;

/// Bytes of the source text.
pub(super) type Span = Range<usize>;

/// A word at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) span: Span,
}

/// A statement.
#[derive(Debug, Clone)]
pub(super) enum Stmt {
    /// `{ … }`
    Block(Vec<Stmt>),
    /// `const ty name = value, …;`
    Declare { constant: bool, ty: Word, items: Vec<Declarator> },
    /// `target op value;`
    Assign { target: Expr, op: AssignOp, op_span: Span, value: Expr },
    /// `target++;` or `--target;`
    Step { target: Expr, increment: bool, span: Span },
    /// `Spike();`, or an expression that does nothing.
    Call(Expr),
    /// `if (condition) then else otherwise`
    If { condition: Expr, then: Box<Stmt>, otherwise: Option<Box<Stmt>> },
    /// `while`, `do` and `for`.
    Loop(Box<Loop>),
    /// `break;` or `continue;`
    Jump { continues: bool, span: Span },
    /// `;`, or what the parser reported and left out.
    Empty,
}

/// A loop.
#[derive(Debug, Clone)]
pub(super) struct Loop {
    /// The word it begins with.
    pub(super) span: Span,
    /// Before a `for`.
    pub(super) start: Vec<Stmt>,
    /// Whether the condition comes before the body rather than behind it.
    pub(super) tested_first: bool,
    /// A `for` may have none.
    pub(super) condition: Option<Expr>,
    /// Behind each iteration of a `for`.
    pub(super) step: Vec<Stmt>,
    pub(super) body: Stmt,
}

/// One name of a declaration.
#[derive(Debug, Clone)]
pub(super) struct Declarator {
    pub(super) name: Word,
    pub(super) value: Option<Expr>,
}

/// `=` and its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AssignOp {
    Set,
    Add,
    Sub,
    Multiply,
    /// C has it, this language does not.
    Refused(&'static str),
}

/// An expression and how deep its tree is; the parser bounds the depth, so that whoever walks it may recurse.
#[derive(Debug, Clone)]
pub(super) struct Expr {
    pub(super) kind: ExprKind,
    pub(super) span: Span,
    pub(super) depth: u32,
}

#[derive(Debug, Clone)]
pub(super) enum ExprKind {
    /// A number as written, without its sign.
    Number(String),
    Name(String),
    /// `( … )`
    Group(Box<Expr>),
    Unary {
        op: &'static str,
        operand: Box<Expr>,
    },
    Binary {
        op: &'static str,
        op_span: Span,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Conditional {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Box<Expr>,
    },
    Call {
        function: Word,
        arguments: Vec<Expr>,
    },
    /// Reported already.
    Error,
}

impl Expr {
    pub(super) fn new(kind: ExprKind, span: Span) -> Self {
        let depth = 1 + match &kind {
            ExprKind::Number(_) | ExprKind::Name(_) | ExprKind::Error => 0,
            ExprKind::Group(inner) => inner.depth,
            ExprKind::Unary { operand, .. } => operand.depth,
            ExprKind::Binary { left, right, .. } => left.depth.max(right.depth),
            ExprKind::Conditional { condition, then, otherwise } => {
                condition.depth.max(then.depth).max(otherwise.depth)
            }
            ExprKind::Call { arguments, .. } => arguments.iter().map(|argument| argument.depth).max().unwrap_or(0),
        };
        Self { kind, span, depth }
    }

    /// Without brackets around it.
    pub(super) fn inner(&self) -> &Self {
        let mut expr = self;
        while let ExprKind::Group(inner) = &expr.kind {
            expr = inner;
        }
        expr
    }

    /// Whether it compares or combines comparisons, so that it can only be a condition.
    pub(super) fn is_condition(&self) -> bool {
        match &self.inner().kind {
            ExprKind::Unary { op, .. } => *op == "!",
            ExprKind::Binary { op, left, right, .. } => match *op {
                "==" | "!=" | "<" | "<=" | ">" | ">=" | "&&" | "||" => true,
                "&" | "|" | "^" => left.is_condition() || right.is_condition(),
                _ => false,
            },
            _ => false,
        }
    }

    /// The text and sign of a literal: a number, or one behind a minus.
    pub(super) fn literal(&self) -> Option<(&str, bool)> {
        match &self.inner().kind {
            ExprKind::Number(text) => Some((text, false)),
            ExprKind::Unary { op: "-", operand } => match &operand.kind {
                ExprKind::Number(text) => Some((text, true)),
                _ => None,
            },
            _ => None,
        }
    }
}
