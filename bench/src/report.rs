//! What a run shows: progress on standard error, the table and the JSON on standard output.

use serde::Serialize;

use crate::{
    figure::{Figure, median, short, spread},
    setting::Setting,
};

/// Progress.
#[expect(clippy::print_stderr, reason = "this is a command line program")]
pub(crate) fn say(text: &str) {
    eprintln!("{text}");
}

#[derive(Serialize)]
struct Report<'a> {
    host: &'a str,
    quick: bool,
    repeat: usize,
    projections: &'static str,
    figures: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    figure: &'a Figure,
    median: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    met: Option<bool>,
}

/// Whether read models ran beside what was measured.
const PROJECTIONS: &str = "no projection ran, but in W4";

/// The table, and the JSON if it is asked for.
#[expect(clippy::print_stdout, reason = "this is a command line program")]
pub(crate) fn print(host: &str, setting: &Setting, figures: &[Figure], json: bool) -> anyhow::Result<()> {
    println!("{host}; {} repetitions, median (least to most); {PROJECTIONS}\n", setting.repeat);
    println!("| workload | figure | measured | limit | ratio | mark | met |");
    println!("|---|---|---|---|---|---|---|");
    for figure in figures {
        let cell = |values: &[f64]| match values {
            [] => String::new(),
            values => format!("{} ({})", short(median(values)), spread(values)),
        };
        let ratio = figure.shown_ratio().unwrap_or_default();
        let mark = figure.mark.map(|mark| mark.to_string()).unwrap_or_default();
        let met = figure.met().map(|met| if met { "yes" } else { "no" }).unwrap_or_default();
        let Figure { workload, name, unit, ours, limit, .. } = figure;
        println!(
            "| {workload} | {name} | {} {unit} | {} | {ratio} | {mark} | {met} |",
            cell(ours),
            cell(limit)
        );
    }
    if json {
        let lines = figures.iter().map(|figure| Line {
            figure,
            median: median(&figure.ours),
            ratio: figure.ratio(),
            met: figure.met(),
        });
        let figures = lines.collect();
        let report =
            Report { host, quick: setting.quick, repeat: setting.repeat, projections: PROJECTIONS, figures };
        println!("{}", serde_json::to_string(&report)?);
    }
    Ok(())
}
