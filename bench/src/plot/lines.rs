//! Lines: latencies by percentile, and cost by length.

use super::svg::{COLOURS, Svg, number};

/// One line.
pub(super) struct Line {
    pub(super) label: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// What lies along the axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Percentiles, the rare ones stretched; up, milliseconds, logarithmic.
    Percentiles,
    /// Steps; up, microseconds, from 0.
    Steps,
}

const WIDTH: f64 = 900.0;
const PLOT_HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 40.0;
const LEGEND_ROW: f64 = 18.0;

pub(super) fn draw(title: &str, scale: Scale, lines: &[Line]) -> String {
    let legend = LEGEND_ROW * lines.len() as f64;
    let mut svg = Svg::new(WIDTH, TOP + PLOT_HEIGHT + 50.0 + legend, title);
    let axes = Axes::around(scale, lines);
    axes.draw(&mut svg);
    for (index, line) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<_> = line.points.iter().map(|point| axes.place(*point)).collect();
        svg.line(&points, colour, 2.0);
        let y = TOP + PLOT_HEIGHT + 50.0 + LEGEND_ROW * index as f64;
        svg.rect(LEFT, y - 9.0, 20.0, 4.0, colour);
        svg.text(LEFT + 28.0, y - 3.0, "start", &line.label, 12);
    }
    svg.end()
}

struct Axes {
    scale: Scale,
    across: [f64; 2],
    up: [f64; 2],
}

impl Axes {
    fn around(scale: Scale, lines: &[Line]) -> Self {
        let points = || lines.iter().flat_map(|line| line.points.iter().copied());
        let most = |of: fn((f64, f64)) -> f64| points().map(of).fold(1e-6, f64::max);
        let least = points().map(|(_, y)| y).fold(f64::INFINITY, f64::min).max(1e-3);
        match scale {
            Scale::Percentiles => {
                let up = [least.log10().floor(), most(|(_, y)| y).log10().ceil()];
                Self { scale, across: [0.0, stretched(100.0)], up }
            }
            Scale::Steps => {
                Self { scale, across: [0.0, most(|(x, _)| x)], up: [0.0, most(|(_, y)| y) * 1.2] }
            }
        }
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (x, y) = match self.scale {
            Scale::Percentiles => (stretched(x), y.max(1e-3).log10()),
            Scale::Steps => (x, y),
        };
        let share = |value: f64, [from, to]: [f64; 2]| (value - from) / (to - from);
        let across = LEFT + share(x, self.across) * (WIDTH - LEFT - RIGHT);
        (across, TOP + PLOT_HEIGHT - share(y, self.up) * PLOT_HEIGHT)
    }

    fn draw(&self, svg: &mut Svg) {
        let (columns, rows, units): (Vec<f64>, Vec<f64>, _) = match self.scale {
            Scale::Percentiles => {
                let decades = self.up[0] as i32..=self.up[1] as i32;
                let rows = decades.map(|power| 10_f64.powi(power)).collect();
                (vec![0.0, 50.0, 90.0, 99.0, 99.9, 100.0], rows, ["percent", "ms"])
            }
            Scale::Steps => {
                let parts = |most: f64| (0..=5).map(|part| most * f64::from(part) / 5.0).collect();
                (parts(self.across[1]), parts(self.up[1]), ["steps", "us"])
            }
        };
        for x in columns {
            let (at, _) = self.place((x, 10_f64.powf(self.up[0])));
            svg.line(&[(at, TOP), (at, TOP + PLOT_HEIGHT)], "#dddddd", 1.0);
            svg.text(at, TOP + PLOT_HEIGHT + 16.0, "middle", &column(self.scale, x, units[0]), 10);
        }
        for y in rows {
            let (_, at) = self.place((0.0, y));
            svg.line(&[(LEFT, at), (WIDTH - RIGHT, at)], "#dddddd", 1.0);
            svg.text(LEFT - 6.0, at + 4.0, "end", &format!("{} {}", number(y), units[1]), 10);
        }
    }
}

fn column(scale: Scale, x: f64, unit: &str) -> String {
    match scale {
        Scale::Percentiles if x >= 100.0 => "longest".to_owned(),
        Scale::Percentiles => format!("{x} {unit}"),
        Scale::Steps => format!("{} {unit}", number(x)),
    }
}

/// Each nine as wide as the one before; the longest stands for five nines.
fn stretched(percentile: f64) -> f64 {
    -((1.0 - percentile / 100.0).max(1e-5)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_lines_are_drawn() {
        let line = |points: &[(f64, f64)]| [Line { label: "ours".to_owned(), points: points.to_vec() }];
        let chart = draw("latency", Scale::Percentiles, &line(&[(0.0, 0.2), (99.0, 1.5), (100.0, 9.0)]));
        assert!(chart.contains("polyline") && chart.contains("longest") && chart.contains("ours"));
        let chart = draw("cost", Scale::Steps, &line(&[(1_000.0, 240.0), (50_000.0, 250.0)]));
        assert!(chart.contains("50,000 steps"));
    }

    #[test]
    fn rare_percentiles_are_stretched() {
        assert!((stretched(99.0) - 2.0 * stretched(90.0)).abs() < 1e-9);
        assert!(stretched(100.0).is_finite());
    }
}
