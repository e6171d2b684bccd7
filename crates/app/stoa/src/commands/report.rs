//! What reports for a terminal have in common: tables, and output that may be cut off by its reader.

use std::io::{self, Write};

use serde::Serialize;

/// Prints; a reader that has seen enough (`| head`) is no error.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Prints an answer as JSON, for people and for `jq`.
pub fn print_json(answer: &impl Serialize) -> io::Result<()> {
    print(&(serde_json::to_string_pretty(answer)? + "\n"))
}

/// A text that others wrote, on one line and without what a terminal would obey.
pub fn plain(text: &str) -> String {
    text.chars().fold(String::new(), |mut plain, letter| {
        if letter.is_control() {
            plain.extend(letter.escape_default())
        } else {
            plain.push(letter)
        }
        plain
    })
}

/// Rows in columns as wide as their widest cell, the last one as it comes.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|name| name.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&head).chain(rows) {
        let last = row.len().saturating_sub(1);
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if at == last {
                text.push_str(cell);
            } else {
                text.push_str(&format!("{cell:width$}  "));
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// A cell of a CSV file (RFC 4180), which no spreadsheet takes for a formula.
pub fn csv_cell(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// `policy P, statement S`, as every report names a statement; one without a Sid by its position, from 0.
pub fn statement(policy: &str, sid: Option<&str>, index: i64) -> String {
    match sid {
        Some(sid) => format!("policy {policy}, statement {sid}"),
        None => format!("policy {policy}, statement {index}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_on_its_line() {
        assert_eq!(plain("tür\n2026  root\u{1b}[31m"), "tür\\n2026  root\\u{1b}[31m");
    }

    #[test]
    fn tables_and_cells() {
        let rows = vec![vec!["a".to_owned(), "long cell".to_owned()], vec!["abc".to_owned(), String::new()]];
        assert_eq!(table(&["X", "Y"], &rows), "X    Y\na    long cell\nabc\n");
        assert_eq!(csv_cell("plain"), "plain");
        assert_eq!(csv_cell("=1+1"), "'=1+1");
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
    }
}
