//! Figures of one run, their medians, and the table.

use std::time::Duration;

/// What one run took.
#[derive(Clone, Copy, Default)]
pub struct Sample {
    pub wall: Duration,
    /// User and system time of the tool and its children.
    pub cpu: Duration,
    /// Peak memory of the tool's own process, KiB.
    pub memory: u64,
}

/// A figure of a sample: what it is called, its unit, and its value.
pub type Figure = (&'static str, &'static str, fn(&Sample) -> f64);

#[expect(clippy::cast_precision_loss, reason = "megabytes with one decimal")]
pub const FIGURES: [Figure; 3] = [
    ("wall", "ms", |sample| sample.wall.as_secs_f64() * 1000.0),
    ("cpu", "ms", |sample| sample.cpu.as_secs_f64() * 1000.0),
    ("peak memory", "MiB", |sample| sample.memory as f64 / 1024.0),
];

/// The median of each figure; `None` if there is nothing.
pub fn median(samples: &[Sample]) -> Option<Sample> {
    if samples.is_empty() {
        return None;
    }
    Some(Sample {
        wall: middle(samples.iter().map(|sample| sample.wall)),
        cpu: middle(samples.iter().map(|sample| sample.cpu)),
        memory: middle(samples.iter().map(|sample| sample.memory)),
    })
}

fn middle<T: Ord + Copy>(values: impl Iterator<Item = T>) -> T {
    let mut sorted: Vec<T> = values.collect();
    sorted.sort();
    sorted[sorted.len() / 2]
}

/// A number as a figure.
#[expect(clippy::cast_precision_loss, reason = "small numbers")]
pub fn count(number: usize) -> f64 {
    number as f64
}

/// The head of the table. The ratio is that of the second tool to the first.
pub fn header<'a>(tools: impl Iterator<Item = &'a str>) -> String {
    let tools: Vec<&str> = tools.collect();
    format!(
        "| scenario | | {} | wharf / cargo |\n|---|---|{}---|\n",
        tools.join(" | "),
        "---|".repeat(tools.len())
    )
}

/// One row: a figure of all tools.
pub fn row(scenario: &str, what: &str, unit: &str, values: &[Option<f64>]) -> String {
    let decimals = usize::from(!unit.is_empty());
    let cells = values.iter().map(|value| match value {
        Some(value) => format!("{value:.decimals$} {unit}").trim_end().to_owned(),
        None => "–".to_owned(),
    });
    let ratio = match values {
        [Some(cargo), Some(wharf), ..] if *cargo > 0.0 => format!("{:.2}", wharf / cargo),
        _ => "–".to_owned(),
    };
    format!("| {scenario} | {what} | {} | {ratio} |\n", cells.collect::<Vec<_>>().join(" | "))
}
