//! Statements as a person types them: several in one text, or one that goes on in the next line.
//!
//! Owns where a statement ends. Leaves what it says to the parser.

use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};
use datafusion::sql::sqlparser::tokenizer::{
    Location, Token, TokenWithSpan, Tokenizer, TokenizerError,
};

/// One statement of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed<'t> {
    /// Without the `;` that ends it.
    pub sql: &'t str,
    /// The names of its parameters, each as often as it stands there, without `$`.
    pub parameters: Vec<String>,
}

/// The statements of a text as a session reads it; see [`statements`].
pub fn cut(text: &str) -> Vec<Typed<'_>> {
    statements(text, &GenericDialect {})
}

/// The statements of a text, cut at each `;` outside of quotes and comments; a comment alone is
/// none.
pub(super) fn statements<'t>(text: &'t str, dialect: &dyn Dialect) -> Vec<Typed<'t>> {
    let (mut found, mut start, mut parameters) = (Vec::new(), 0, Vec::new());
    let mut is_empty = true;
    let (tokens, is_read) = tokens(text, dialect);
    let is_read = is_read.is_ok();
    let mut places = Places::new(text);
    for token in &tokens {
        match &token.token {
            Token::SemiColon => {
                let end = places.of(token.span.start);
                let parameters = std::mem::take(&mut parameters);
                let sql = text[start..end].trim();
                found.extend((!is_empty).then_some(Typed { sql, parameters }));
                (start, is_empty) = (end + 1, true);
            }
            Token::Whitespace(_) => {}
            Token::Placeholder(name) => {
                parameters.push(name.trim_start_matches('$').to_owned());
                is_empty = false;
            }
            _ => is_empty = false,
        }
    }
    let sql = text[start..].trim();
    // What can't be read any further is left to the parser.
    is_empty &= is_read;
    found.extend((!is_empty).then_some(Typed { sql, parameters }));
    found
}

/// Whether nothing more is awaited: the last statement has its `;`, or there is none.
pub fn is_ended(text: &str) -> bool {
    let (tokens, read) = tokens(text, &GenericDialect {});
    let mut backwards = tokens.iter().rev().map(|token| &token.token);
    let last = backwards.find(|token| !matches!(token, Token::Whitespace(_)));
    match read {
        Ok(()) => matches!(last, None | Some(Token::SemiColon)),
        // A quote or a comment goes on in the next line; what else is wrong is told.
        Err(fault) => {
            let is_open = ["Unterminated", "EOF"]
                .iter()
                .any(|word| fault.message.contains(word));
            !is_open && text.trim_end().ends_with(';')
        }
    }
}

/// The text's tokens, up to one that can't be read.
fn tokens(text: &str, dialect: &dyn Dialect) -> (Vec<TokenWithSpan>, Result<(), TokenizerError>) {
    let mut tokens = Vec::new();
    let read = Tokenizer::new(dialect, text).tokenize_with_location_into_buf(&mut tokens);
    (tokens, read)
}

/// Where the tokens of a text lie, asked for one after the other.
pub(super) struct Places<'t> {
    rest: std::str::Chars<'t>,
    length: usize,
    /// Of the first character of `rest`, counted from 1.
    line: u64,
    column: u64,
}

impl<'t> Places<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self {
            rest: text.chars(),
            length: text.len(),
            line: 1,
            column: 1,
        }
    }

    /// How many bytes stand before a place, which lies behind that of the last call.
    pub(super) fn of(&mut self, place: Location) -> usize {
        while (self.line, self.column) < (place.line, place.column) {
            match self.rest.next() {
                Some('\n') => (self.line, self.column) = (self.line + 1, 1),
                Some(_) => self.column += 1,
                None => break,
            }
        }
        self.length - self.rest.as_str().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_a_statement_ends() {
        for (text, found, ended) in [
            ("", &[][..], true),
            ("-- nothing", &[], true),
            ("SELECT '", &["SELECT '"], false),
            ("SELECT \"open;", &["SELECT \"open;"], false),
            (" ;; -- nothing;", &[], true),
            ("SELECT 1", &["SELECT 1"], false),
            (
                "SELECT ';', \";\" -- ; \n;",
                &["SELECT ';', \";\" -- ;"],
                true,
            ),
            (
                "SELECT 'ä;\n';\n/* ; */ SELECT 2; -- end",
                &["SELECT 'ä;\n'", "/* ; */ SELECT 2"],
                true,
            ),
            (
                "SELECT 1; SELECT 'open;",
                &["SELECT 1", "SELECT 'open;"],
                false,
            ),
            ("SELECT 1 /* open;", &["SELECT 1 /* open;"], false),
        ] {
            let cut: Vec<_> = cut(text).iter().map(|typed| typed.sql).collect();
            assert_eq!((&*cut, is_ended(text)), (found, ended), "{text}");
        }
    }

    #[test]
    fn a_statement_names_its_parameters() {
        let text = "SELECT $a, '$b'; SELECT $c + $a";
        let found: Vec<_> = cut(text)
            .into_iter()
            .map(|typed| typed.parameters)
            .collect();
        assert_eq!(found, [vec!["a"], vec!["c", "a"]]);
    }
}
