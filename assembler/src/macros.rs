//! Macros: parameters, arguments, and putting the one for the other.
//!
//! Contract: arguments are texts, separated by commas outside parentheses; a string alone stands for what is in it. In a
//! body `\name` is an argument, `\@` the number of macro calls before this one, and `\()` nothing, which separates a
//! name from what follows. Any other `\` stays. A parameter is `name`, `name=default`, `name:req` (it must be given) or
//! `name:vararg` (it takes all that is left). Arguments may be given by name: `name=value`.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::diagnostic::{Diagnostic, Problem};
use crate::lexer::{Token, TokenKind, name_length};
use crate::parser::Cursor;
use crate::source::Span;

/// Parameters of one macro; each new name is compared with all before it.
const MOST_PARAMETERS: usize = 1000;

/// A macro.
#[derive(Debug)]
pub(crate) struct Macro<'a> {
    pub(crate) name: &'a str,
    pub(crate) parameters: Vec<Parameter<'a>>,
    pub(crate) body: &'a str,
    /// Its name, where it is defined.
    pub(crate) span: Span,
}

/// A parameter of a macro.
#[derive(Debug)]
pub(crate) struct Parameter<'a> {
    name: &'a str,
    default: Option<&'a str>,
    required: bool,
    rest: bool,
}

/// A text given for a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Argument<'a> {
    /// The name before `=`, if it begins so.
    name: Option<&'a str>,
    /// What follows that.
    value: &'a str,
    /// All of it.
    pub(crate) text: &'a str,
    span: Span,
}

/// The arguments in `tokens`, which belong to `text`.
pub(crate) fn arguments<'a>(tokens: &[Token<'a>], text: &'a str) -> Vec<Argument<'a>> {
    let mut arguments = Vec::new();
    if tokens.is_empty() {
        return arguments;
    }
    let mut depth = 0usize;
    let mut behind = tokens[0].span;
    for part in tokens.split(|token| {
        match token.kind {
            TokenKind::Mark("(") => depth += 1,
            TokenKind::Mark(")") => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.kind == TokenKind::Mark(",")
    }) {
        let (name, value) = match part {
            [Token { kind: TokenKind::Name(name), .. }, Token { kind: TokenKind::Mark("="), .. }, value @ ..] => {
                (Some(*name), value)
            }
            all => (None, all),
        };
        let span = part.first().map_or(behind.after(), |first| first.span.to(part.last().unwrap_or(first).span));
        behind = span;
        arguments.push(Argument { name, value: written(value, text), text: written(part, text), span });
    }
    arguments
}

/// The text of some tokens; that of a string alone is what is between its marks.
fn written<'a>(tokens: &[Token<'a>], text: &'a str) -> &'a str {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return "" };
    let all = text.get(first.span.start as usize..last.span.end as usize).unwrap_or_default();
    match tokens {
        [Token { kind: TokenKind::Text(_), .. }] => {
            let inner = all.strip_prefix('"').unwrap_or(all);
            inner.strip_suffix('"').unwrap_or(inner)
        }
        _ => all,
    }
}

/// A macro's name and parameters, the cursor being behind `.macro`.
pub(crate) fn header<'a>(
    cursor: &mut Cursor<'_, 'a>,
    text: &'a str,
) -> Result<(&'a str, Span, Vec<Parameter<'a>>), Diagnostic> {
    let (name, at) = cursor.expect_symbol()?;
    let mut parameters: Vec<Parameter<'a>> = Vec::new();
    cursor.take_mark(",");
    while !cursor.at_end() {
        let (name, at) = cursor.expect_symbol()?;
        if parameters.iter().any(|parameter| parameter.name == name) {
            return Err(Problem::DuplicateParameter(name.to_owned()).at(at));
        }
        if parameters.len() >= MOST_PARAMETERS {
            return Err(Problem::Parameters(MOST_PARAMETERS).at(at));
        }
        if parameters.last().is_some_and(|parameter| parameter.rest) {
            return Err(Problem::AfterRest(name.to_owned()).at(at));
        }
        let mut parameter = Parameter { name, default: None, required: false, rest: false };
        if cursor.take_mark(":") {
            match cursor.name() {
                Some("req") => parameter.required = true,
                Some("vararg") => parameter.rest = true,
                _ => return Err(cursor.expected("`req` or `vararg`")),
            }
            cursor.advance();
        }
        if cursor.take_mark("=") {
            // As far as there is neither a comma nor a blank.
            let rest = cursor.rest();
            let joined = rest
                .windows(2)
                .take_while(|pair| pair[0].span.end == pair[1].span.start && pair[1].kind != TokenKind::Mark(","));
            let comma = rest.first().is_none_or(|token| token.kind == TokenKind::Mark(","));
            let count = if comma { 0 } else { 1 + joined.count() };
            parameter.default = Some(written(&rest[..count], text));
            (0..count).for_each(|_| cursor.advance());
        }
        parameters.push(parameter);
        cursor.take_mark(",");
    }
    Ok((name, at, parameters))
}

impl<'a> Macro<'a> {
    /// The value of each parameter in the call at `span`.
    ///
    /// # Errors
    /// Where there are too many arguments, or one is missing or given twice.
    pub(crate) fn bind<'v>(
        &'v self,
        given: &'v [Argument<'v>],
        span: Span,
    ) -> Result<Vec<(&'v str, Cow<'v, str>)>, Diagnostic> {
        let mut values: Vec<Option<Cow<'v, str>>> = vec![None; self.parameters.len()];
        let mut next = 0;
        for (index, argument) in given.iter().enumerate() {
            let named = argument.name.and_then(|name| self.parameters.iter().position(|p| p.name == name));
            if let Some(at) = named {
                if values[at].is_some() {
                    let (name, argument_name) = (self.name.to_owned(), self.parameters[at].name.to_owned());
                    return Err(Problem::ArgumentTwice { name, argument: argument_name }.at(argument.span));
                }
                values[at] = Some(Cow::Borrowed(argument.value));
                continue;
            }
            let Some(parameter) = self.parameters.get(next) else {
                let (name, most) = (self.name.to_owned(), self.parameters.len());
                return Err(Problem::Arguments { name, most, found: given.len() }.at(argument.span));
            };
            if parameter.rest {
                let rest: Vec<&str> = given[index..].iter().map(|argument| argument.text).collect();
                values[next] = Some(Cow::Owned(rest.join(", ")));
                break;
            }
            if !argument.text.is_empty() {
                values[next] = Some(Cow::Borrowed(argument.text));
            }
            next += 1;
        }
        let bound = self.parameters.iter().zip(values).map(|(parameter, value)| match (value, parameter.default) {
            (Some(value), _) => Ok((parameter.name, value)),
            (None, Some(default)) => Ok((parameter.name, Cow::Borrowed(default))),
            (None, None) if parameter.required => {
                let (name, argument) = (self.name.to_owned(), parameter.name.to_owned());
                Err(Problem::ArgumentMissing { name, argument }.at(span))
            }
            (None, None) => Ok((parameter.name, Cow::Borrowed(""))),
        });
        bound.collect()
    }
}

/// Appends `body` with the values put in. Without a number of calls, `\@` stays.
///
/// Stops, wherever it is, once `into` is longer than `most`: values of a megabyte in a body of a megabyte are more than
/// any memory holds.
pub(crate) fn substitute(body: &str, values: &[(&str, &str)], calls: Option<u32>, most: usize, into: &mut String) {
    // In a few names, looking at each is fastest.
    let many: Option<HashMap<&str, &str>> = (values.len() > 8).then(|| values.iter().copied().collect());
    let value = |wanted: &str| match &many {
        Some(many) => many.get(wanted).copied(),
        None => values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value),
    };
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        into.push_str(&rest[..at]);
        if into.len() > most {
            return;
        }
        rest = &rest[at + 1..];
        let name = &rest[..name_length(rest)];
        if let Some(value) = value(name).filter(|_| !name.is_empty()) {
            into.push_str(value);
            rest = &rest[name.len()..];
        } else if let Some(behind) = rest.strip_prefix("()") {
            rest = behind;
        } else if let Some((behind, calls)) = rest.strip_prefix('@').zip(calls) {
            into.push_str(&calls.to_string());
            rest = behind;
        } else {
            into.push('\\');
        }
    }
    into.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_put_where_their_names_are() {
        let mut text = String::new();
        let values = [("a", "x0"), ("ab", "y"), ("s.t", "z")];
        substitute("\\a, \\ab \\a\\()b \\@ \\c \"\\n\" \\s.t \\", &values, Some(7), 1000, &mut text);
        assert_eq!(text, "x0, y x0b 7 \\c \"\\n\" z \\");
    }

    #[test]
    fn what_is_put_in_is_bounded() {
        let (body, value) = ("\\x".repeat(1000), "a".repeat(1000));
        let mut text = String::new();
        substitute(&body, &[("x", &value)], None, 5000, &mut text);
        assert!((5001..=6000).contains(&text.len()), "{}", text.len());
    }

    #[test]
    fn many_parameters_are_found_by_name() {
        let names: Vec<String> = (0..20).map(|index| format!("p{index}")).collect();
        let values: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), &name[1..])).collect();
        let mut text = String::new();
        substitute("\\p0 \\p19 \\p20", &values, None, 1000, &mut text);
        assert_eq!(text, "0 19 \\p20");
    }
}
