//! Bar charts as SVG text.

use std::fmt::Write as _;

/// Groups of bars under a heading, on a scale of their own that begins at 0.
pub(crate) struct Panel {
    pub(crate) title: String,
    /// For each group, its name and a value for each series.
    pub(crate) groups: Vec<(String, Vec<f64>)>,
}

const WIDTH: f64 = 860.0;
const MARGIN: f64 = 24.0;
/// The left end of the bars, right of the group names.
const LEFT: f64 = 260.0;
/// The right end of the longest bar, left of its value.
const RIGHT: f64 = WIDTH - 90.0;
const BAR: f64 = 12.0;
const GAP: f64 = 10.0;
const TITLE: f64 = 30.0;
const HEAD: f64 = 64.0;

/// One colour for each series. The colours also differ in brightness.
const COLOURS: [&str; 5] = ["#d55e00", "#56b4e9", "#0072b2", "#009e73", "#cc79a7"];

/// Draws the panels below each other. `value` formats the label of a bar.
pub(crate) fn svg(title: &str, series: &[&str], panels: &[Panel], value: impl Fn(f64) -> String) -> String {
    let mut body = String::new();
    let mut y = HEAD;
    for panel in panels {
        text(&mut body, MARGIN, y + 16.0, "font-size=\"13\" font-weight=\"bold\"", &panel.title);
        y += TITLE;
        let values = panel.groups.iter().flat_map(|(_, values)| values);
        let longest = values.copied().fold(f64::MIN_POSITIVE, f64::max);
        for (name, values) in &panel.groups {
            let middle = y + BAR * values.len() as f64 / 2.0 + 4.0;
            text(&mut body, LEFT - 10.0, middle, "text-anchor=\"end\" font-size=\"12\"", name);
            for (length, colour) in values.iter().zip(COLOURS.iter().cycle()) {
                let width = (length / longest * (RIGHT - LEFT)).max(1.0);
                push(
                    &mut body,
                    &format!(
                        "<rect x=\"{LEFT}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>",
                        BAR - 2.0
                    ),
                );
                text(&mut body, LEFT + width + 6.0, y + BAR - 3.0, "font-size=\"10\"", &value(*length));
                y += BAR;
            }
            y += GAP;
        }
        y += GAP;
    }
    let mut head = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" font-family=\"sans-serif\">\n\
         <title>{0}</title>\n<rect width=\"{WIDTH}\" height=\"{y:.0}\" fill=\"white\"/>\n",
        escaped(title)
    );
    text(&mut head, MARGIN, 26.0, "font-size=\"15\"", title);
    let mut x = MARGIN;
    for (name, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        push(
            &mut head,
            &format!("<rect x=\"{x:.0}\" y=\"40\" width=\"10\" height=\"10\" fill=\"{colour}\"/>"),
        );
        text(&mut head, x + 16.0, 50.0, "font-size=\"12\"", name);
        x += 110.0;
    }
    format!("{head}{body}</svg>\n")
}

fn text(svg: &mut String, x: f64, y: f64, style: &str, text: &str) {
    push(svg, &format!("<text x=\"{x:.1}\" y=\"{y:.1}\" {style}>{}</text>", escaped(text)));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn push(svg: &mut String, element: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{element}");
}
