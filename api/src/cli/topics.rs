//! `callmarket topics train` and `topics classify`: the classifier of questions on files. Reads and writes what it
//! is given, and no data folder.

use super::{Failure, Found};
use ::topics::Model;
use ::topics::table::{self, OUT_OF_SCOPE, Question};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

#[derive(Subcommand)]
pub(crate) enum Topics {
    /// Makes a model from labelled questions (CSV: id, text, and category or intent; the label `oos` is out of scope)
    Train(Train),
    /// Says the subject of each question (CSV: id, text): a line of JSON each
    Classify(Classify),
}

#[derive(Args)]
pub(crate) struct Train {
    /// Labelled questions
    file: PathBuf,
    /// The file to write the model to
    #[arg(long)]
    model: PathBuf,
    /// Labelled questions that are not learned from: what the model makes of them is printed
    #[arg(long)]
    validate: Option<PathBuf>,
    /// One line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct Classify {
    /// The model
    #[arg(long)]
    model: PathBuf,
    /// Questions
    file: PathBuf,
    /// A line of JSON each; otherwise id, subject and score between tabs
    #[arg(long)]
    json: bool,
}

impl Topics {
    pub(crate) fn run(self) -> Result<Found, Failure> {
        match self {
            Topics::Train(train) => train.run(),
            Topics::Classify(classify) => classify.run(),
        }
    }
}

#[derive(Serialize)]
struct Trained {
    model: String,
    labels: usize,
    examples: usize,
    out_of_scope: usize,
    features: usize,
    seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    validation: Option<Validation>,
}

/// Shares between 0 and 1; null where there was nothing to count.
#[derive(Serialize)]
struct Validation {
    in_scope: usize,
    accuracy: Option<f64>,
    accuracy_after_rejection: Option<f64>,
    rejected: Option<f64>,
    out_of_scope: usize,
    out_of_scope_recognised: Option<f64>,
}

impl Train {
    fn run(self) -> Result<Found, Failure> {
        // Both files are read before the work begins: a wrong one is said at once.
        let questions = table::read(&self.file, true)?;
        let asked = self.validate.as_deref().map(|path| table::read(path, true)).transpose()?;
        let count = questions.len();
        let out_of_scope = questions.iter().filter(|question| question.label == OUT_OF_SCOPE).count();
        let (labels, examples) = table::examples(questions, &self.file)?;
        let begun = Instant::now();
        let model = Model::train(labels, &examples);
        let seconds = begun.elapsed().as_secs_f64();
        model.save(&self.model)?;
        let validation = asked.map(|asked| validate(&model, &asked));
        let trained = Trained {
            model: model.version().to_owned(),
            labels: model.labels().len(),
            examples: count - out_of_scope,
            out_of_scope,
            features: model.features(),
            seconds,
            validation,
        };
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{}", serde_json::to_string(&trained)?)?;
            return Ok(Found::Nothing);
        }
        writeln!(
            out,
            "model {}: {} labels from {} questions and {} out of scope, {} features, {seconds:.1} s",
            trained.model, trained.labels, trained.examples, trained.out_of_scope, trained.features
        )?;
        if let Some(found) = trained.validation {
            let percent = |share: Option<f64>| share.map_or("-".to_owned(), |share| format!("{:.2} %", 100.0 * share));
            writeln!(
                out,
                "{} in scope: {} right, {} after rejection of {}",
                found.in_scope,
                percent(found.accuracy),
                percent(found.accuracy_after_rejection),
                percent(found.rejected)
            )?;
            writeln!(
                out,
                "{} out of scope: {} recognised",
                found.out_of_scope,
                percent(found.out_of_scope_recognised)
            )?;
        }
        Ok(Found::Nothing)
    }
}

fn validate(model: &Model, asked: &[Question]) -> Validation {
    let (mut in_scope, mut right, mut kept, mut rejected, mut out_of_scope, mut recognised) = (0, 0, 0, 0, 0, 0);
    for question in asked {
        let verdict = model.classify(&question.text, 1);
        if question.label == OUT_OF_SCOPE {
            out_of_scope += 1;
            recognised += usize::from(!verdict.in_scope);
            continue;
        }
        let hit = model.labels()[verdict.ranked[0].0 as usize] == question.label;
        in_scope += 1;
        right += usize::from(hit);
        kept += usize::from(hit && verdict.in_scope);
        rejected += usize::from(!verdict.in_scope);
    }
    let share = |part: usize, whole: usize| (whole > 0).then(|| part as f64 / whole as f64);
    Validation {
        in_scope,
        accuracy: share(right, in_scope),
        accuracy_after_rejection: share(kept, in_scope),
        rejected: share(rejected, in_scope),
        out_of_scope,
        out_of_scope_recognised: share(recognised, out_of_scope),
    }
}

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    topic: Option<&'a str>,
    score: f64,
}

impl Classify {
    fn run(self) -> Result<Found, Failure> {
        let model = Model::load(&self.model)?;
        let questions = table::read(Path::new(&self.file), false)?;
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for question in &questions {
            let verdict = model.classify(&question.text, 1);
            let (label, score) = verdict.ranked[0];
            let topic = verdict.in_scope.then(|| &*model.labels()[label as usize]);
            // Four digits are what it is worth.
            let score = (f64::from(score) * 10_000.0).round() / 10_000.0;
            if self.json {
                writeln!(out, "{}", serde_json::to_string(&Line { id: &question.id, topic, score })?)?;
            } else {
                writeln!(out, "{}\t{}\t{score}", question.id, topic.unwrap_or("-"))?;
            }
        }
        out.flush()?;
        Ok(Found::Nothing)
    }
}
