//! Tables in Markdown, for a terminal and for a page.

use std::fmt::Write as _;

/// A table under a heading. The first column is text, the others are figures.
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// What has to be known to read it.
    note: String,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(title: &str, columns: impl IntoIterator<Item = S>) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new(), note: String::new() }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    pub(crate) fn note(mut self, note: &str) -> Self {
        note.clone_into(&mut self.note);
        self
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n| {} |\n| --- |", self.title, self.columns.join(" | "));
        text.push_str(&" ---: |".repeat(self.columns.len().saturating_sub(1)));
        text.push('\n');
        for row in &self.rows {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", row.join(" | "));
        }
        if !self.note.is_empty() {
            let _ = write!(text, "\n{}\n", self.note);
        }
        text
    }
}

/// A figure with about three digits that count.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        value if value >= 100_000.0 => format!("{:.0},000", value / 1_000.0),
        value if value >= 1_000.0 => {
            let rounded = (value / 10.0).round() * 10.0;
            format!("{:.0},{:03.0}", (rounded / 1_000.0).floor(), rounded % 1_000.0)
        }
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
