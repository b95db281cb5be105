//! The chart of a simulation as SVG text: stale blocks against delay by interval, both axes logarithmic.

use std::fmt::Write as _;

use super::Row;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 440.0;
const MARGIN: f64 = 60.0;

/// The bounds of both axes: the block interval divided by the delay, and the share of stale blocks.
const X: (f64, f64) = (1.0, 10_000.0);
const Y: (f64, f64) = (0.000_1, 1.0);

/// One colour for each delay; they repeat if there are more delays. The colours also differ in brightness.
const COLOURS: [&str; 5] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9"];

/// The runs as points, with a small cross for the prediction of the formula.
pub(crate) fn svg(rows: &[Row]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>Stale blocks by block interval and message delay</title>\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n"
    );
    axes(&mut svg);
    let mut delays: Vec<f64> = rows.iter().map(|row| row.delay).collect();
    delays.sort_by(f64::total_cmp);
    delays.dedup();
    for (delay, (number, colour)) in delays.iter().zip((0_u32..).zip(COLOURS.iter().cycle())) {
        let (x, y) = (MARGIN + 370.0, MARGIN + 14.0 + 18.0 * f64::from(number));
        push(&mut svg, &format!("<circle cx=\"{x}\" cy=\"{}\" r=\"4\" fill=\"{colour}\"/>", y - 4.0));
        push(&mut svg, &format!("<text x=\"{}\" y=\"{y}\">{delay:.2} s a hop</text>", x + 10.0));
        for row in rows.iter().filter(|row| row.delay.total_cmp(delay).is_eq()) {
            let x = place(row.interval / row.delay, X, MARGIN, WIDTH - MARGIN);
            let [stale, formula] = [row.stale, row.formula].map(|y| place(y, Y, HEIGHT - MARGIN, MARGIN));
            push(&mut svg, &format!("<circle cx=\"{x:.1}\" cy=\"{stale:.1}\" r=\"4\" fill=\"{colour}\"/>"));
            push(
                &mut svg,
                &format!(
                    "<path d=\"M{:.1} {formula:.1}h10m-5 -5v10\" stroke=\"{colour}\" fill=\"none\"/>",
                    x - 5.0
                ),
            );
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn axes(svg: &mut String) {
    let (left, right, top, bottom) = (MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN);
    for power in 0..=4 {
        let x = place(10_f64.powi(power), X, left, right);
        push(svg, &format!("<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#ddd\"/>"));
        let label = 10_u32.pow(power.unsigned_abs());
        push(
            svg,
            &format!("<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", bottom + 18.0),
        );
        let y = place(10_f64.powi(-power), Y, bottom, top);
        push(svg, &format!("<path d=\"M{left} {y:.1}H{right}\" stroke=\"#ddd\"/>"));
        let percent = 10_f64.powi(2 - power);
        push(
            svg,
            &format!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{percent} %</text>",
                left - 6.0,
                y + 4.0
            ),
        );
    }
    let middle = WIDTH / 2.0;
    let below = HEIGHT - 16.0;
    push(
        svg,
        &format!(
            "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">block interval / delay of a hop</text>"
        ),
    );
    push(
        svg,
        &format!(
            "<text x=\"{left}\" y=\"30\">stale blocks: points as simulated, crosses 1 - exp(-D/T)</text>"
        ),
    );
}

/// The position of a value on a logarithmic axis. Values outside the axis are at its edge.
fn place(value: f64, (min, max): (f64, f64), from: f64, to: f64) -> f64 {
    let part = (value.clamp(min, max) / min).ln() / (max / min).ln();
    from + part * (to - from)
}

fn push(svg: &mut String, element: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{element}");
}
