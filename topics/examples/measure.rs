//! What the classifier reaches: accuracy, rejections, time for a question, seconds of training. `measure FOLDER` with
//! `banking77` and `clinc150` in it. The test splits are not there: of banking77 each fifth row of a label is held
//! out; clinc150 has its own part for validation. With ten questions a label: the lists beside the data, all seeds.

use std::collections::HashSet;
use std::path::Path;
use std::time::Instant;
use topics::Model;
use topics::table::{OUT_OF_SCOPE, Question, examples, read};

fn main() {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("measure FOLDER");
        std::process::exit(2);
    };
    let folder = Path::new(&folder);
    let open = |file: &str| read(&folder.join(file), true).unwrap_or_else(|error| panic!("{error}"));
    let banking = open("banking77/train.csv");
    let (seen, held) = fifths(&banking);
    report("banking77, four fifths", &seen, &held);
    report("banking77, all rows, as seen", &banking, &banking);
    let clinc = open("clinc150/train.csv");
    let validation = open("clinc150/val.csv");
    report("clinc150", &clinc, &validation);
    let in_scope: Vec<Question> = clinc.iter().filter(|question| question.label != OUT_OF_SCOPE).cloned().collect();
    report("clinc150, none out of scope to learn from", &in_scope, &validation);
    for (name, all, other) in [("banking77", &banking, None), ("clinc150", &clinc, Some(&validation))] {
        for (seed, ids) in ten(&folder.join(name).join("ten_shot_ids.json")).iter().enumerate() {
            let (seen, rest): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|question| ids.contains(&question.id));
            report(&format!("{name}, ten a label, seed {seed}"), &seen, other.unwrap_or(&rest));
        }
    }
}

fn fifths(all: &[Question]) -> (Vec<Question>, Vec<Question>) {
    let mut count = std::collections::HashMap::<&str, u32>::new();
    let mut seen = Vec::new();
    let mut held = Vec::new();
    for question in all {
        let count = count.entry(&question.label).or_default();
        *count += 1;
        if count.is_multiple_of(5) { held.push(question.clone()) } else { seen.push(question.clone()) }
    }
    (seen, held)
}

/// The lists of ids in the file, one per seed: everything between brackets.
fn ten(path: &Path) -> Vec<HashSet<String>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lists = text.split('[').skip(1).filter_map(|rest| rest.split_once(']'));
    lists.map(|(list, _)| list.split(',').map(|id| id.trim().to_owned()).collect()).collect()
}

fn report(name: &str, seen: &[Question], asked: &[Question]) {
    let (labels, learned) = examples(seen.to_vec(), Path::new(name)).unwrap_or_else(|error| panic!("{error}"));
    let begun = Instant::now();
    let model = Model::train(labels, &learned);
    let trained = begun.elapsed();
    let begun = Instant::now();
    let verdicts: Vec<_> = asked.iter().map(|question| model.classify(&question.text, 1)).collect();
    let each = begun.elapsed() / asked.len() as u32;
    let (mut right, mut kept, mut rejected, mut within, mut recognised, mut without) = (0, 0, 0, 0, 0, 0);
    for (question, verdict) in asked.iter().zip(&verdicts) {
        if question.label == OUT_OF_SCOPE {
            without += 1;
            recognised += u32::from(!verdict.in_scope);
            continue;
        }
        let hit = model.labels()[verdict.ranked[0].0 as usize] == question.label;
        within += 1;
        right += u32::from(hit);
        kept += u32::from(hit && verdict.in_scope);
        rejected += u32::from(!verdict.in_scope);
    }
    let percent = |part: u32, whole: u32| 100.0 * f64::from(part) / f64::from(whole.max(1));
    print!(
        "{name}: {:.2} % right, {:.2} % after rejection of {:.2} %",
        percent(right, within),
        percent(kept, within),
        percent(rejected, within)
    );
    if without > 0 {
        print!(", {:.1} % of {without} out of scope recognised", percent(recognised, without));
    }
    println!(
        "; {:.0} µs a question, {:.1} s of training, {} bytes",
        each.as_secs_f64() * 1e6,
        trained.as_secs_f64(),
        model.to_bytes().len()
    );
}
