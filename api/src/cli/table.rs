//! CSV files of recorded history: columns by their header's names, rows that cannot be read reported with
//! file, line and reason, and left out.

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
    #[error("{path} cannot be opened")]
    Open {
        path: PathBuf,
        #[source]
        source: csv::Error,
    },
    #[error("{path}:1: the header has no column {column}")]
    Column { path: PathBuf, column: &'static str },
}

impl Table {
    pub(crate) fn read(path: &Path, wanted: &[&'static str]) -> Result<Table, TableError> {
        let open = |source| TableError::Open { path: path.to_owned(), source };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(path).map_err(open)?;
        let header = reader.byte_headers().map_err(open)?.clone();
        let mut columns = Vec::new();
        for column in wanted {
            // A byte order mark belongs to no name.
            let named =
                |cell: &[u8]| cell.strip_prefix(b"\xef\xbb\xbf").unwrap_or(cell).trim_ascii() == column.as_bytes();
            let at = header.iter().position(named);
            columns.push((*column, at.ok_or(TableError::Column { path: path.to_owned(), column })?));
        }
        let mut table = Table { path: path.to_owned(), columns, rows: Vec::new(), unreadable: Vec::new() };
        let mut record = csv::ByteRecord::new();
        loop {
            match reader.read_byte_record(&mut record) {
                Ok(false) => return Ok(table),
                Ok(true) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    if record.len() != header.len() {
                        table.report(line, format!("{} cells, the header has {}", record.len(), header.len()));
                        continue;
                    }
                    match record.iter().map(|cell| String::from_utf8(cell.to_vec())).collect() {
                        Ok(cells) => table.rows.push(Row { line, cells }),
                        Err(_) => table.report(line, "not UTF-8".to_owned()),
                    }
                }
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    table.report(line, error.to_string());
                    if error.is_io_error() {
                        return Ok(table);
                    }
                }
            }
        }
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
