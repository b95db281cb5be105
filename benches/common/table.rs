//! Markdown tables, for a terminal and for a page.

use std::fmt::Write as _;

/// A table under a heading. The first column is text, all others are figures.
pub(crate) struct Table {
    title: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// What a reader has to know about the table.
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

/// A figure with three or four significant digits and thousands separators.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size < 10.0 => return format!("{value:.2}"),
        size if size < 100.0 => return format!("{value:.1}"),
        _ => {}
    }
    let mut unit = 1.0;
    while value.abs() / unit >= 10_000.0 {
        unit *= 10.0;
    }
    let digits = format!("{:.0}", (value / unit).round() * unit);
    let mut figure = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && !figure.ends_with('-') {
            figure.push(',');
        }
        figure.push(digit);
    }
    figure
}
