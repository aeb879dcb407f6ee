//! Questions in CSV: columns `id` and `text`, and to learn from, `category` or `intent`; others are ignored. What
//! cannot be read is told by its line, and nothing is learned from the rest: a model of half a file would pass for
//! one of all of it.

use crate::file::LABELS_MAX;
use crate::model::Example;
use std::path::{Path, PathBuf};

/// The label of a question that is out of scope.
pub const OUT_OF_SCOPE: &str = "oos";
/// Bytes of a question.
pub const TEXT_MAX: usize = 64 * 1024;
const LABEL_MAX: usize = 256;
const ROWS_MAX: usize = 2_000_000;

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("{path} cannot be read")]
    Open { path: PathBuf, source: std::io::Error },
    /// The header is that of another file.
    #[error("{path}:1: {what}")]
    Header { path: PathBuf, what: String },
    #[error("{path}:{line}: {what}")]
    Row { path: PathBuf, line: u64, what: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub line: u64,
    pub id: String,
    pub text: String,
    /// Empty where no labels were asked for.
    pub label: String,
}

/// `labelled`: to learn from, or to compare with.
pub fn read(path: &Path, labelled: bool) -> Result<Vec<Question>, TableError> {
    let bytes = std::fs::read(path).map_err(|source| TableError::Open { path: path.to_owned(), source })?;
    read_bytes(&bytes, path, labelled)
}

/// `path` is what the file is called where it is spoken of.
pub fn read_bytes(bytes: &[u8], path: &Path, labelled: bool) -> Result<Vec<Question>, TableError> {
    let wrong = |line: u64, what: String| TableError::Row { path: path.to_owned(), line, what };
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bytes);
    let foreign = |what: String| TableError::Header { path: path.to_owned(), what };
    let header = reader.byte_headers().map_err(|error| foreign(error.to_string()))?.clone();
    let column = |name: &str| header.iter().position(|cell| cell.trim_ascii() == name.as_bytes());
    let named = |name: &str| column(name).ok_or_else(|| foreign(format!("the header has no column {name}")));
    let (id, text) = (named("id")?, named("text")?);
    let label = match (column("category"), column("intent")) {
        _ if !labelled => None,
        (Some(_), Some(_)) => {
            return Err(foreign("the header has both category and intent; one of them is the label".into()));
        }
        (None, None) => return Err(foreign("the header has no column category or intent".into())),
        (category, intent) => category.or(intent),
    };
    let mut questions = Vec::new();
    let mut record = csv::ByteRecord::new();
    let mut lines = Lines { text: bytes, at: 0, line: 1 };
    loop {
        let from = reader.position().byte();
        match reader.read_byte_record(&mut record) {
            Ok(true) => {}
            Ok(false) => return Ok(questions),
            Err(error) => return Err(wrong(lines.of(from), error.to_string())),
        }
        let line = lines.of(from);
        if record.len() != header.len() {
            return Err(wrong(line, format!("{} cells, the header has {}", record.len(), header.len())));
        }
        let cell = |at: usize| {
            let text = std::str::from_utf8(&record[at]).map_err(|_| wrong(line, "not UTF-8".into()))?;
            Ok(text.trim().to_owned())
        };
        if record[text].len() > TEXT_MAX {
            return Err(wrong(line, format!("a text of {} bytes; at most {TEXT_MAX}", record[text].len())));
        }
        if questions.len() == ROWS_MAX {
            return Err(wrong(line, format!("more than {ROWS_MAX} rows")));
        }
        let label = label.map(cell).transpose()?;
        if label.as_ref().is_some_and(|label| label.is_empty() || label.len() > LABEL_MAX) {
            return Err(wrong(line, format!("a label has 1 to {LABEL_MAX} bytes")));
        }
        questions.push(Question { line, id: cell(id)?, text: cell(text)?, label: label.unwrap_or_default() });
    }
}

/// What a model is made from: the labels in order of their names, and the examples in the file's order.
pub fn examples(questions: Vec<Question>, path: &Path) -> Result<(Vec<String>, Vec<Example>), TableError> {
    let wrong = |line: u64, what: String| TableError::Row { path: path.to_owned(), line, what };
    let mut count = std::collections::BTreeMap::<&str, (usize, u64)>::new();
    for question in questions.iter().filter(|question| question.label != OUT_OF_SCOPE) {
        count.entry(&question.label).or_insert((0, question.line)).0 += 1;
    }
    if count.len() < 2 {
        return Err(wrong(1, "fewer than two labels: there is nothing to tell apart".into()));
    }
    if count.len() > LABELS_MAX {
        return Err(wrong(1, format!("{} labels; at most {LABELS_MAX}", count.len())));
    }
    if let Some((label, (_, line))) = count.iter().find(|(_, (rows, _))| *rows < 2) {
        return Err(wrong(*line, format!("the label {label} has this row alone; at least two are needed")));
    }
    if let Some(question) = questions
        .iter()
        .find(|question| question.label != OUT_OF_SCOPE && !question.text.contains(char::is_alphanumeric))
    {
        return Err(wrong(question.line, "a text without words".into()));
    }
    let labels: Vec<String> = count.into_keys().map(str::to_owned).collect();
    let number = |label: &str| labels.binary_search_by(|other| (**other).cmp(label)).ok().map(|at| at as u32);
    let examples =
        questions.into_iter().map(|question| Example { label: number(&question.label), text: question.text }).collect();
    Ok((labels, examples))
}

/// Counts the lines of a text as an editor does: "\n", "\r\n" and a lone "\r" each end one.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line on which the row begins that the reader looks for from `from` on. Positions ascend.
    fn of(&mut self, from: u64) -> u64 {
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
