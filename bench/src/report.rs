//! What a row prints: both sides round by round, their medians, the ratio with floor and aim, the machine.
//!
//! Promises: a figure is never printed without what it was measured against, nor without the machine and the seed.
//!
//! Not here: judging. A missed floor is printed as missed, and the exit code stays 0; a run that measured something
//! else than it says is an error of its row.

use crate::load::Load;
use crate::machine;
use serde_json::{Value, json};

/// One side: the same thing measured in every round.
pub(crate) struct Side {
    name: String,
    unit: &'static str,
    rounds: Vec<f64>,
    /// In microseconds, where single answers were timed: p50, p99, max of each round.
    latency: Vec<[f64; 3]>,
}

impl Side {
    pub(crate) fn new(name: impl Into<String>, unit: &'static str) -> Side {
        Side { name: name.into(), unit, rounds: Vec::new(), latency: Vec::new() }
    }
    pub(crate) fn add(&mut self, value: f64) {
        self.rounds.push(value);
    }
    pub(crate) fn add_load(&mut self, load: &Load) {
        self.rounds.push(load.rate());
        self.latency.push([load.micros(0.5), load.micros(0.99), load.micros(1.0)]);
    }
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
    pub(crate) fn median(&self) -> f64 {
        median(self.rounds.iter().copied())
    }
    pub(crate) fn p99(&self) -> f64 {
        median(self.latency.iter().map(|round| round[1]))
    }
    fn json(&self) -> Value {
        let mut value = json!({"name": self.name, "unit": self.unit, "median": self.median(), "rounds": self.rounds});
        if !self.latency.is_empty() {
            value["latencyMicros"] = self.latency_medians().into();
        }
        value
    }
    fn latency_medians(&self) -> Vec<f64> {
        (0..3).map(|at| median(self.latency.iter().map(|round| round[at]))).collect()
    }
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// A figure of the design, with what it should be.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) floor: Option<f64>,
    pub(crate) aim: Option<f64>,
    pub(crate) less_is_better: bool,
}

impl Figure {
    /// A ratio that should be at least so much.
    pub(crate) fn ratio(name: impl Into<String>, value: f64, floor: f64, aim: f64) -> Figure {
        let (floor, aim) = (Some(floor), Some(aim));
        Figure { name: name.into(), value, unit: "", floor, aim, less_is_better: false }
    }
    fn verdict(&self) -> &'static str {
        let reaches = |bound: f64| if self.less_is_better { self.value <= bound } else { self.value >= bound };
        match (self.aim, self.floor) {
            (Some(aim), _) if reaches(aim) => "aim reached",
            (_, Some(floor)) if reaches(floor) => "floor held",
            (None, None) => "",
            (Some(_), None) => "aim missed",
            _ => "FLOOR MISSED",
        }
    }
}

pub(crate) struct Report {
    pub(crate) row: &'static str,
    /// What is measured, in a sentence.
    pub(crate) what: String,
    pub(crate) sides: Vec<Side>,
    pub(crate) figures: Vec<Figure>,
    /// What else was seen: name and value.
    pub(crate) also: Vec<(String, String)>,
}

impl Report {
    /// `machine`: as it was before anything ran.
    pub(crate) fn print(&self, machine: &[(&'static str, String)], seed: u64, as_json: bool) {
        let versions = machine::versions();
        if as_json {
            let facts = |facts: &[(&str, String)]| {
                Value::Object(facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect())
            };
            let figures: Vec<Value> = self
                .figures
                .iter()
                .map(|figure| {
                    json!({
                        "name": figure.name, "value": figure.value, "unit": figure.unit, "floor": figure.floor,
                        "aim": figure.aim, "verdict": figure.verdict(),
                    })
                })
                .collect();
            let also: Vec<(&str, String)> =
                self.also.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
            let line = json!({
                "row": self.row, "what": self.what, "sides": self.sides.iter().map(Side::json).collect::<Vec<_>>(),
                "figures": figures, "also": facts(&also), "machine": facts(machine), "versions": versions,
                "seed": seed,
            });
            println!("{line}");
            return;
        }
        let line = |name: &str, value: &str| println!("{name:<12} {value}");
        line("row", &format!("{}: {}", self.row, self.what));
        for side in &self.sides {
            let rounds: Vec<String> = side.rounds.iter().map(|value| number(*value)).collect();
            let mut text = format!("{} {}", number(side.median()), side.unit);
            if let [p50, p99, max] = side.latency_medians()[..]
                && !side.latency.is_empty()
            {
                let ms = |micros: f64| format!("{:.2}", micros / 1_000.0);
                text += &format!(", p50 {} p99 {} max {} ms", ms(p50), ms(p99), ms(max));
            }
            line("side", &format!("{}: {text} (rounds: {})", side.name, rounds.join(" ")));
        }
        for figure in &self.figures {
            let bound = |name: &str, bound: Option<f64>| {
                bound.map_or_else(String::new, |bound| format!(", {name} {}", number(bound)))
            };
            let value = format!("{} {}", number(figure.value), figure.unit);
            let bounds = bound("floor", figure.floor) + &bound("aim", figure.aim);
            let verdict = figure.verdict();
            let verdict = if verdict.is_empty() { String::new() } else { format!(": {verdict}") };
            line("figure", &format!("{} = {}{bounds}{verdict}", figure.name, value.trim_end()));
        }
        for (name, value) in &self.also {
            line("also", &format!("{name}: {value}"));
        }
        for (name, value) in machine {
            line(name, value);
        }
        line("versions", &versions);
        line("seed", &seed.to_string());
    }
}

/// Three figures that mean something, thousands in groups.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "none".to_owned();
    }
    if value.abs() < 1_000.0 {
        let decimals = if value.abs() < 10.0 { 2 } else { 1 };
        let text = format!("{value:.decimals$}");
        return text.strip_suffix(".00").or(text.strip_suffix(".0")).unwrap_or(&text).to_owned();
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_by_people() {
        for (value, text) in [(0.735, "0.73"), (1.2, "1.20"), (12.34, "12.3"), (1_234_567.8, "1 234 568"), (2.0, "2")] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_median_stands_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
    }

    #[test]
    fn what_is_missed_is_said() {
        let verdict = |value| Figure::ratio("ratio", value, 0.7, 1.2).verdict();
        assert_eq!((verdict(1.2), verdict(0.7), verdict(0.69)), ("aim reached", "floor held", "FLOOR MISSED"));
    }
}
