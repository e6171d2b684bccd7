//! Words of a rule, each with its place.

use super::parser::{Problem, problem};

/// A word, a quoted text, or one of `(`, `)`, `,`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub kind: TokenKind,
    /// What it says, without quotes.
    pub text: String,
    /// Bytes of the source.
    pub start: usize,
    pub end: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Word,
    Quoted,
    Open,
    Close,
    Comma,
}

/// Takes a text apart. `#` begins a comment that ends with the line.
pub(crate) fn tokens(source: &str) -> Result<Vec<Token>, Problem> {
    let mut found = Vec::new();
    let mut rest = source.char_indices().peekable();
    while let Some((start, character)) = rest.next() {
        let (kind, text) = match character {
            '#' => {
                while rest.next_if(|(_, next)| *next != '\n').is_some() {}
                continue;
            }
            _ if character.is_whitespace() => continue,
            '(' => (TokenKind::Open, character.to_string()),
            ')' => (TokenKind::Close, character.to_string()),
            ',' => (TokenKind::Comma, character.to_string()),
            '"' | '\'' => {
                let mut text = String::new();
                while let Some((_, next)) = rest.next_if(|(_, next)| *next != character && *next != '\n') {
                    text.push(next);
                }
                if rest.next_if(|(_, next)| *next == character).is_none() {
                    return Err(problem(source, start, "this quote is not closed"));
                }
                (TokenKind::Quoted, text)
            }
            _ if is_word(character) => {
                let mut text = String::from(character);
                while let Some((_, next)) = rest.next_if(|(_, next)| is_word(*next)) {
                    text.push(next);
                }
                (TokenKind::Word, text)
            }
            other => {
                let why = format!("`{}` is not expected here: quote values that have it", other.escape_default());
                return Err(problem(source, start, &why));
            }
        };
        let end = rest.peek().map_or(source.len(), |(at, _)| *at);
        found.push(Token { kind, text, start, end });
    }
    Ok(found)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || "-_./@:*?+".contains(character)
}
