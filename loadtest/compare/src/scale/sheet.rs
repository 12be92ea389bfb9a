//! What was found, step by step, and its tables as Markdown.
//!
//! Pure. A figure that was not measured, or that would say nothing, is a dash; a step that failed says why, below what
//! it came to before.

use super::MIB;
use super::columns::Part;
use crate::error::Fault;
use crate::figures::{Figures, float};
use crate::results::Conditions;
use crate::table::{Unit, add, cell, one_line};

/// One step.
pub(super) struct Row {
    pub(super) step: u64,
    pub(super) figures: Figures,
    pub(super) fault: Option<String>,
}

/// One part's steps.
pub(super) struct Sheet {
    pub(super) part: Part,
    pub(super) rows: Vec<Row>,
}

/// All parts, and under which conditions.
pub(super) struct Findings {
    pub(super) conditions: Conditions,
    pub(super) sheets: Vec<Sheet>,
}

/// A table as text: its heads, and its rows, each as long.
pub(super) struct Grid {
    pub(super) heads: Vec<&'static str>,
    pub(super) rows: Vec<Vec<String>>,
    /// Each with its step.
    pub(super) faults: Vec<String>,
}

impl Sheet {
    /// One more step; what one takes is told by what is more than at the first step.
    pub(super) fn add(&mut self, step: u64, mut figures: Figures, fault: Option<Fault>) {
        for (to, from, tells_from) in self.part.growth() {
            let first = self.rows.first().and_then(|row| Some((row.step, *row.figures.get(*from)?)));
            if let (Some((first_step, first)), Some(now)) = (first, figures.get(*from))
                && step >= *tells_from
                && step > first_step
            {
                let more = (now - first).max(0.0) * MIB;
                figures.insert((*to).to_owned(), more / float(step - first_step));
            }
        }
        self.rows.push(Row { step, figures, fault: fault.map(|fault| one_line(&fault.0)) });
    }

    /// The table.
    pub(super) fn grid(&self) -> Grid {
        let columns = self.part.columns();
        let heads = [self.part.unit()].into_iter().chain(columns.iter().map(|(head, _, _)| *head)).collect();
        let cells = |row: &Row| {
            let step = cell(Some(float(row.step)), Unit::Whole);
            let figures = columns.iter().map(|(_, name, unit)| cell(row.figures.get(*name).copied(), *unit));
            [step].into_iter().chain(figures).collect()
        };
        let fault = |row: &Row| {
            let step = cell(Some(float(row.step)), Unit::Whole);
            row.fault.as_ref().map(|fault| format!("{step} {}: {fault}", self.part.unit()))
        };
        Grid {
            heads,
            rows: self.rows.iter().map(cells).collect(),
            faults: self.rows.iter().filter_map(fault).collect(),
        }
    }
}

impl Findings {
    /// Under which all figures hold, in a sentence.
    pub(super) fn under(&self) -> String {
        let Conditions { started_at, seconds, quick, cores, processor, kernel, filesystem, load_average, .. } =
            &self.conditions;
        let quick = if *quick { " Quick mode: these figures say little." } else { "" };
        format!(
            "{started_at}, {cores} cores ({processor}), Linux {kernel}, stores on {filesystem} with fsync, load average \
             before the start {load_average}; one round, bids {seconds} s each, rate limits off.{quick}"
        )
    }

    /// All tables, each below the mark of its place in `README.md`.
    pub(super) fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.under());
        for sheet in &self.sheets {
            let grid = sheet.grid();
            let (name, title) = (sheet.part.name(), sheet.part.title());
            add(&mut text, format_args!("\n<!-- scale:{name} -->\n**{title}**\n\n| {} |\n", grid.heads.join(" | ")));
            add(&mut text, format_args!("|{}\n", "---:|".repeat(grid.heads.len())));
            for row in &grid.rows {
                add(&mut text, format_args!("| {} |\n", row.join(" | ")));
            }
            for fault in &grid.faults {
                add(&mut text, format_args!("\nNot done: {fault}\n"));
            }
        }
        text
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn findings() -> Findings {
        let conditions = Conditions {
            started_at: "then".to_owned(),
            rounds: 1,
            seconds: 8.0,
            quick: false,
            cores: 2,
            processor: "some <one>".to_owned(),
            kernel: "6".to_owned(),
            filesystem: "ext4".to_owned(),
            load_average: "0.1".to_owned(),
        };
        let mut sheet = Sheet { part: Part::Watchers, rows: Vec::new() };
        let figures = |all: &[(&str, f64)]| all.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        sheet.add(1, figures(&[("delivery_us", 90.25), ("p99_ms", 1.5)]), None);
        sheet.add(
            1_000,
            figures(&[("delivery_us", 8.5), ("p99_ms", 4.0)]),
            Some(Fault("it | fell\n< over".to_owned())),
        );
        sheet.add(10_000, Figures::new(), Some(Fault("no room".to_owned())));
        Findings { conditions, sheets: vec![sheet] }
    }

    #[test]
    fn a_step_that_failed_keeps_what_it_came_to_and_says_why() {
        let text = findings().markdown();
        assert!(text.contains("\n| 1 | – | 90.2 | – | – | 1.50 | – | – | – |\n"), "{text}");
        assert!(text.contains("\n| 1,000 | – | 8.50 |"), "{text}");
        assert!(text.contains("\nNot done: 1,000 watchers: it   fell < over\n"), "{text}");
        assert!(text.contains("\n| 10,000 | – |"), "{text}");
        assert!(text.contains("<!-- scale:watchers -->") && text.starts_with("then, 2 cores"), "{text}");
    }

    #[test]
    fn what_one_takes_is_told_by_what_many_take_more() {
        let mut sheet = Sheet { part: Part::Watchers, rows: Vec::new() };
        let memory = |mib: f64| Figures::from([("memory_mib".to_owned(), mib)]);
        for (step, mib) in [(1, 50.0), (100, 51.0), (1_001, 60.0)] {
            sheet.add(step, memory(mib), None);
        }
        let each = |row: usize| sheet.rows[row].figures.get("session_bytes").map(|bytes| format!("{bytes:.0}"));
        assert_eq!([each(0), each(1), each(2)], [None, None, Some("10486".to_owned())]);
    }

    #[test]
    fn every_row_is_as_long_as_the_head() {
        for sheet in findings().sheets {
            let grid = sheet.grid();
            assert!(grid.rows.iter().all(|row| row.len() == grid.heads.len()));
        }
    }
}
