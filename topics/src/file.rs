//! A model as a file: what it is, a body of bounded numbers, and the SHA-256 of all that stands before. A file that
//! is not exactly what was written is refused before anything is made of it.

use crate::features::{Kind, Known, Vocabulary};
use crate::model::{Bytes, Model};
use sha2::{Digest, Sha256};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 16] = b"callmarket topic";
const FORMAT: u32 = 1;
const CHECKSUM: usize = 32;
/// What a file may hold. The largest model that can be trained lies beneath it.
const FILE_MAX: u64 = 1 << 30;
/// Labels of a model.
pub const LABELS_MAX: usize = 4096;

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{path} cannot be read")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{path} is no model of topics")]
    Foreign { path: PathBuf },
    #[error("{path} is a model of format {found}; this program reads format {FORMAT}")]
    Format { path: PathBuf, found: u32 },
    #[error("{path} is damaged: {what}")]
    Damaged { path: PathBuf, what: &'static str },
    #[error("{path} cannot be written")]
    Write { path: PathBuf, source: std::io::Error },
}

fn body(model: &Model) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&(model.labels.len() as u32).to_le_bytes());
    out.extend_from_slice(&(model.vocabulary.known.len() as u32).to_le_bytes());
    out.extend_from_slice(&model.threshold.to_le_bytes());
    for label in &model.labels {
        out.extend_from_slice(&(label.len() as u32).to_le_bytes());
        out.extend_from_slice(label.as_bytes());
    }
    for constant in &model.weights.constant {
        out.extend_from_slice(&constant.to_le_bytes());
    }
    for known in &model.vocabulary.known {
        out.extend_from_slice(&known.hash.to_le_bytes());
        out.push(known.kind as u8);
        out.extend_from_slice(&known.weight.to_le_bytes());
    }
    for scale in &model.weights.scales {
        out.extend_from_slice(&scale.to_le_bytes());
    }
    out.extend(model.weights.rows.iter().map(|weight| weight.to_le_bytes()[0]));
    out
}

fn name(checksum: &[u8]) -> String {
    checksum[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn version(model: &Model) -> String {
    name(&Sha256::digest(body(model)))
}

impl Model {
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = body(self);
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Whole or not at all: beside the file first, then in its place.
    pub fn save(&self, path: &Path) -> Result<(), FileError> {
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let write = || {
            let mut file = std::fs::File::create(&beside)?;
            file.write_all(&self.to_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        };
        write().map_err(|source| FileError::Write { path: path.to_owned(), source })
    }

    pub fn load(path: &Path) -> Result<Model, FileError> {
        let failed = |source| FileError::Open { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        Model::from_bytes(&bytes, path)
    }

    /// `path` is what the file is called where it is spoken of.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Model, FileError> {
        let damaged = |what| FileError::Damaged { path: path.to_owned(), what };
        let Some(rest) = bytes.strip_prefix(MAGIC) else { return Err(FileError::Foreign { path: path.to_owned() }) };
        let mut rest = Rest(rest);
        let found = rest.whole().ok_or(damaged("it ends early"))?;
        if found != FORMAT {
            return Err(FileError::Format { path: path.to_owned(), found });
        }
        if bytes.len() as u64 > FILE_MAX {
            return Err(damaged("it is too large"));
        }
        let Some(end) = bytes.len().checked_sub(CHECKSUM) else { return Err(damaged("it ends early")) };
        let checksum = Sha256::digest(&bytes[..end]);
        if checksum[..] != bytes[end..] {
            return Err(damaged("its checksum is another"));
        }
        let mut model = rest.model().ok_or(damaged("its numbers do not fit each other"))?;
        model.version = name(&checksum);
        Ok(model)
    }
}

/// What is left to read. Each number is looked at before room is made for what it counts.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }
    fn whole(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
    fn number(&mut self) -> Option<f32> {
        let number = f32::from_le_bytes(self.take(4)?.try_into().ok()?);
        number.is_finite().then_some(number)
    }

    fn model(&mut self) -> Option<Model> {
        let classes = self.whole()? as usize;
        let features = self.whole()? as usize;
        let threshold = self.number()?;
        if !(2..=LABELS_MAX).contains(&classes) {
            return None;
        }
        let mut labels = Vec::with_capacity(classes);
        for _ in 0..classes {
            let length = self.whole()? as usize;
            labels.push(String::from_utf8(self.take(length)?.to_vec()).ok()?);
        }
        let constant: Vec<f32> = (0..classes).map(|_| self.number()).collect::<Option<_>>()?;
        let each = 8 + 1 + 4 + 4 + classes;
        if features.checked_mul(each)? + CHECKSUM != self.0.len() {
            return None;
        }
        let mut known = Vec::with_capacity(features);
        for _ in 0..features {
            let hash = u64::from_le_bytes(self.take(8)?.try_into().ok()?);
            let kind = match self.take(1)?[0] {
                0 => Kind::Words,
                1 => Kind::Characters,
                _ => return None,
            };
            known.push(Known { hash, kind, weight: self.number()? });
        }
        if !known.is_sorted_by(|a, b| a.hash < b.hash) {
            return None;
        }
        let scales: Vec<f32> = (0..features).map(|_| self.number()).collect::<Option<_>>()?;
        let rows = self.take(features * classes)?.iter().map(|byte| i8::from_le_bytes([*byte])).collect();
        let weights = Bytes { classes, scales, rows, constant };
        Some(Model { labels, threshold, vocabulary: Vocabulary::from_known(known), weights, version: String::new() })
    }
}
