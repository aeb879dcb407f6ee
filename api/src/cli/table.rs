//! CSV files of recorded history: columns by their header's names, rows that cannot be read reported with
//! file, line and reason, and left out.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A row with its line in the file.
pub(crate) struct Row {
    pub(crate) line: u64,
    cells: Vec<String>,
}

/// A file whose header has every wanted column.
pub(crate) struct Table {
    path: PathBuf,
    columns: Vec<(&'static str, usize)>,
    pub(crate) rows: Vec<Row>,
    /// What could not be read: `file:line: reason`.
    pub(crate) unreadable: Vec<String>,
}

/// A file that cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TableError {
    #[error("{path} cannot be read")]
    Open {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("{path}:{line}: the header has no column {column}; wanted are {}", wanted.join(", "))]
    Column { path: PathBuf, line: u64, column: &'static str, wanted: Vec<&'static str> },
}

impl Table {
    pub(crate) fn open(path: &Path, wanted: &[&'static str]) -> Result<Table, TableError> {
        let file = File::open(path).map_err(|source| TableError::Open { path: path.to_owned(), source })?;
        Table::read(file, path, wanted)
    }

    /// `path` is what the file is called where it is spoken of.
    pub(crate) fn read(mut file: impl Read, path: &Path, wanted: &[&'static str]) -> Result<Table, TableError> {
        let failed = |source| TableError::Open { path: path.to_owned(), source };
        // Whole, so that lines can be counted beside the reader: a pipe gives its text once.
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let mut lines = Lines { text: &text, at: 0, line: 1 };
        // A byte order mark is the reader's to skip.
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(&text[..]);
        let header = reader.byte_headers().map_err(|error| failed(error.into()))?.clone();
        let line = lines.of(header.position());
        let absent = |column| TableError::Column { path: path.to_owned(), line, column, wanted: wanted.to_vec() };
        let mut columns = Vec::new();
        for column in wanted {
            let at = header.iter().position(|cell| cell.trim_ascii() == column.as_bytes());
            columns.push((*column, at.ok_or_else(|| absent(column))?));
        }
        let mut table = Table { path: path.to_owned(), columns, rows: Vec::new(), unreadable: Vec::new() };
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|error| failed(error.into()))? {
            let line = lines.of(record.position());
            if record.len() != header.len() {
                table.report(line, format!("{} cells, the header has {}", record.len(), header.len()));
                continue;
            }
            match record.iter().map(|cell| String::from_utf8(cell.to_vec())).collect() {
                Ok(cells) => table.rows.push(Row { line, cells }),
                Err(_) => table.report(line, "not UTF-8".to_owned()),
            }
        }
        Ok(table)
    }

    /// The cell of a wanted column, without blanks around it.
    pub(crate) fn cell<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        let (_, at) = self.columns.iter().find(|(name, _)| *name == column).expect("only wanted columns are asked for");
        row.cells[*at].trim()
    }

    pub(crate) fn report(&mut self, line: u64, reason: String) {
        self.unreadable.push(format!("{}:{line}: {reason}", self.path.display()));
    }
}

/// Counts the lines of a text as an editor does: "\n", "\r\n" and a lone "\r" each end one. The reader's own
/// count is of "\n" before it looks for a row: one too low after "\r\n", and by every blank line.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which the row begins that the reader looked for from `position` on. Positions ascend.
    fn of(&mut self, position: Option<&csv::Position>) -> u64 {
        let from = position.map_or(0, csv::Position::byte);
        while let Some(byte) = self.text.get(self.at)
            && ((self.at as u64) < from || matches!(byte, b'\r' | b'\n'))
        {
            let ends = *byte == b'\n' || (*byte == b'\r' && self.text.get(self.at + 1) != Some(&b'\n'));
            self.line += u64::from(ends);
            self.at += 1;
        }
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &[u8]) -> Result<Table, TableError> {
        Table::read(text, Path::new("a.csv"), &["id", "note"])
    }
    fn rows(text: &str) -> Vec<(u64, String)> {
        let table = table(text.as_bytes()).unwrap();
        assert_eq!(table.unreadable, Vec::<String>::new(), "{text:?}");
        table.rows.iter().map(|row| (row.line, table.cell(row, "id").to_owned())).collect()
    }
    fn found(lines: &[(u64, &str)]) -> Vec<(u64, String)> {
        lines.iter().map(|(line, id)| (*line, (*id).to_owned())).collect()
    }

    #[test]
    fn a_row_is_on_the_line_where_an_editor_shows_it() {
        for (end, mark) in [("\n", ""), ("\r\n", ""), ("\r", ""), ("\n", "\u{feff}"), ("\r\n", "\u{feff}")] {
            let text = |lines: &[&str]| format!("{mark}{}{end}", lines.join(end));
            let what = format!("{end:?} after {mark:?}");
            assert_eq!(rows(&text(&["id,note", "1,a", "2,b"])), found(&[(2, "1"), (3, "2")]), "{what}");
            let blank = text(&["id,note", "", "1,a", "", "", "2,b", ""]);
            assert_eq!(rows(&blank), found(&[(3, "1"), (6, "2")]), "{what}");
            // A header over two lines, a cell over three, one that begins with its line's end.
            let quoted = text(&["id,note,\"more", "of it\"", "1,\"", "a", "b\",x", "2,b,x", "\"", "3\",c,x"]);
            assert_eq!(rows(&quoted), found(&[(3, "1"), (6, "2"), (7, "3")]), "{what}");
        }
        // A last line without an end; ends of several kinds.
        assert_eq!(rows("id,note\r\n1,a\n2,b\r\n3,c"), found(&[(2, "1"), (3, "2"), (4, "3")]));
        assert_eq!(rows("id,note\r\n"), found(&[]));
    }

    #[test]
    fn what_cannot_be_read_is_named_by_its_line() {
        let table = table(b"id,note\r\n1,a\r\n2\r\n\r\n3,\xff\r\n4,d\r\n").unwrap();
        assert_eq!(table.unreadable, ["a.csv:3: 1 cells, the header has 2", "a.csv:5: not UTF-8"]);
        assert_eq!(table.rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 6]);
    }

    #[test]
    fn a_missing_column_is_named_by_the_line_of_the_header() {
        let refused = table(b"\r\n\r\nid,other\r\n").err().unwrap();
        assert_eq!(refused.to_string(), "a.csv:3: the header has no column note; wanted are id, note");
        assert!(table(b"").is_err());
    }
}
