//! Statements as a person types them: several in one text, or one that goes on in the next line.
//!
//! Owns where a statement ends. Leaves what it says to the parser.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// One statement of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Typed<'t> {
    /// Without the `;` that ends it.
    pub sql: &'t str,
    /// The names of its parameters, each as often as it stands there, without `$`.
    pub parameters: Vec<String>,
}

/// The statements of a text, cut at each `;` outside of quotes and comments; a comment alone is
/// none.
pub fn statements(text: &str) -> Vec<Typed<'_>> {
    let (mut found, mut start, mut parameters) = (Vec::new(), 0, Vec::new());
    let mut is_empty = true;
    let (tokens, is_read) = tokens(text);
    for token in &tokens {
        match &token.token {
            Token::SemiColon => {
                let end = place(text, token.span.start);
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

/// Whether the last statement of a text has its `;`, so that nothing more is awaited.
pub fn is_ended(text: &str) -> bool {
    let (tokens, is_read) = tokens(text);
    let mut backwards = tokens.iter().rev().map(|token| &token.token);
    let last = backwards.find(|token| !matches!(token, Token::Whitespace(_)));
    is_read && matches!(last, Some(Token::SemiColon))
}

/// The text's tokens, and whether they are all: a quote or a comment may be open at its end.
fn tokens(text: &str) -> (Vec<TokenWithSpan>, bool) {
    let mut tokens = Vec::new();
    let mut tokenizer = Tokenizer::new(&GenericDialect {}, text);
    let read = tokenizer.tokenize_with_location_into_buf(&mut tokens);
    (tokens, read.is_ok())
}

/// How many bytes stand before a place.
pub(super) fn place(text: &str, place: Location) -> usize {
    let lines = text.split_inclusive('\n').take(place.line as usize - 1);
    let start: usize = lines.map(str::len).sum();
    let line = text[start..].char_indices();
    let mut columns = line.skip(place.column as usize - 1);
    columns.next().map_or(text.len(), |(at, _)| start + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_a_statement_ends() {
        for (text, found, ended) in [
            ("", &[][..], false),
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
            let cut: Vec<_> = statements(text).iter().map(|typed| typed.sql).collect();
            assert_eq!((&*cut, is_ended(text)), (found, ended), "{text}");
        }
    }

    #[test]
    fn a_statement_names_its_parameters() {
        let text = "SELECT $a, '$b'; SELECT $c + $a";
        let found: Vec<_> = statements(text)
            .into_iter()
            .map(|typed| typed.parameters)
            .collect();
        assert_eq!(found, [vec!["a"], vec!["c", "a"]]);
    }
}
