//! Horizontal bars on a logarithmic scale: contenders are factors apart.

use super::svg::{COLOURS, Svg, number};

/// One bar.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) note: String,
    pub(super) value: f64,
    /// Whether it is ours.
    pub(super) is_own: bool,
}

const WIDTH: f64 = 900.0;
const LEFT: f64 = 330.0;
const RIGHT: f64 = 90.0;
const ROW: f64 = 30.0;
const TOP: f64 = 40.0;

pub(super) fn draw(title: &str, bars: &[Bar]) -> String {
    let mut svg = Svg::new(WIDTH, TOP + ROW * bars.len() as f64 + 10.0, title);
    let values = || bars.iter().map(|bar| bar.value.max(1e-9));
    // The shortest bar is to be seen too.
    let least = values().fold(f64::INFINITY, f64::min) / 2.0;
    let most = values().fold(least * 4.0, f64::max);
    for (row, bar) in bars.iter().enumerate() {
        let y = TOP + ROW * row as f64;
        let width = (bar.value.max(1e-9) / least).ln() / (most / least).ln() * (WIDTH - LEFT - RIGHT);
        svg.text(LEFT - 8.0, y + 10.0, "end", &bar.label, 12);
        svg.text(LEFT - 8.0, y + 22.0, "end", &bar.note, 9);
        svg.rect(LEFT, y, width, ROW - 8.0, if bar.is_own { COLOURS[0] } else { COLOURS[6] });
        svg.text(LEFT + width + 6.0, y + 15.0, "start", &number(bar.value), 12);
    }
    svg.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bar_shows_its_value() {
        let bar =
            |label: &str, value| Bar { label: label.to_owned(), note: String::new(), value, is_own: true };
        let chart = draw("w1", &[bar("fast", 45_000.0), bar("slow", 360.0)]);
        assert!(chart.contains("45,000") && chart.contains("360") && chart.contains("slow"));
    }
}
