//! Charts as SVG: lines with marks, or bars side by side. Text stays text, so no fonts are needed.

use plotters::prelude::*;
use plotters::style::FontTransform;

/// A chart with its axes and what is drawn in it.
#[derive(Clone, Debug)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// Names of the places 0, 1, 2 … on the x axis: then the series are bars side by side.
    pub groups: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Axis {
    pub name: String,
    pub is_log: bool,
}

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// What was published, as against what was measured.
    pub is_published: bool,
}

impl Axis {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), is_log: false }
    }

    pub fn log(name: &str) -> Self {
        Self { name: name.to_owned(), is_log: true }
    }

    fn place(&self, value: f64) -> f64 {
        if self.is_log { value.log10() } else { value }
    }

    fn label(&self, place: f64) -> String {
        let value = if self.is_log { 10f64.powf(place) } else { place };
        match value.abs() {
            0.0 => "0".to_owned(),
            a if !(1e-3..1e5).contains(&a) => format!("{value:.0e}"),
            a if a < 10.0 => {
                let digits = format!("{value:.*}", if a < 0.1 { 3 } else { 2 });
                digits.trim_end_matches('0').trim_end_matches('.').to_owned()
            }
            _ => format!("{value:.0}"),
        }
    }
}

impl Series {
    pub fn measured(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, is_published: false }
    }

    pub fn published(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, is_published: true }
    }
}

/// Okabe and Ito's colours, which nobody's eyes confuse.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(148, 132, 20),
];

const SIZE: (u32, u32) = (760, 460);
const FONT: &str = "sans-serif";
const GREY: RGBColor = RGBColor(110, 110, 110);

impl Chart {
    /// The chart as an SVG file.
    ///
    /// # Errors
    /// If it cannot be laid out: a point is not finite, or there is none.
    pub fn to_svg(&self) -> anyhow::Result<String> {
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            self.draw(&area).map_err(|error| anyhow::anyhow!("{}: {error}", self.title))?;
            area.present().map_err(|error| anyhow::anyhow!("{}: {error}", self.title))?;
        }
        Ok(svg)
    }

    fn placed(&self, series: &Series) -> Vec<(f64, f64)> {
        let place = |(x, y): &(f64, f64)| (self.x.place(*x), self.y.place(*y));
        series.points.iter().map(place).filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    }

    /// The least and greatest of what is drawn, with some air.
    fn ranges(&self) -> anyhow::Result<[(f64, f64); 2]> {
        let points: Vec<(f64, f64)> = self.series.iter().flat_map(|s| self.placed(s)).collect();
        anyhow::ensure!(!points.is_empty(), "a chart of nothing");
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        let mut x = range(&mut points.iter().map(|(x, _)| *x));
        let (mut low, mut high) = range(&mut points.iter().map(|(_, y)| *y));
        let air = ((high - low) * 0.06).max(1e-9);
        if !self.y.is_log && low >= 0.0 {
            low = 0.0;
        } else {
            low -= air;
        }
        high += air;
        if self.groups.is_empty() {
            let air = ((x.1 - x.0) * 0.03).max(1e-9);
            x = (x.0 - air, x.1 + air);
        } else {
            x = (-0.5, self.groups.len() as f64 - 0.5);
        }
        Ok([x, (low, high)])
    }

    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, plotters::coord::Shift>,
    ) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        let [x, y] = self.ranges()?;
        area.fill(&WHITE)?;
        let (plot, legend) = area.split_horizontally(SIZE.0 - 215);
        let mut chart = ChartBuilder::on(&plot)
            .caption(&self.title, (FONT, 17))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(66)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        chart
            .configure_mesh()
            .bold_line_style(RGBColor(225, 225, 225))
            .light_line_style(WHITE)
            .axis_style(GREY)
            .label_style((FONT, 13))
            .x_desc(&self.x.name)
            .y_desc(&self.y.name)
            .x_labels(if self.groups.is_empty() { 8 } else { 0 })
            .x_label_formatter(&|at| self.x.label(*at))
            .y_label_formatter(&|at| self.y.label(*at))
            .draw()?;
        for (at, series) in self.series.iter().enumerate() {
            let (points, colour) = (self.placed(series), COLOURS[at % COLOURS.len()]);
            if !self.groups.is_empty() {
                let width = 0.8 / self.series.len() as f64;
                let left = |x: f64| x - 0.4 + at as f64 * width;
                chart.draw_series(points.iter().map(|(x, top)| {
                    let corners = [(left(*x), y.0), (left(*x) + 0.92 * width, *top)];
                    let fill = if series.is_published { colour.mix(0.35) } else { colour.mix(1.0) };
                    Rectangle::new(corners, fill.filled())
                }))?;
            } else if series.is_published {
                chart.draw_series(DashedLineSeries::new(points, 6, 4, colour.stroke_width(2)))?;
            } else {
                chart.draw_series(LineSeries::new(points.clone(), colour.stroke_width(2)))?;
                chart.draw_series(points.iter().map(|at| Circle::new(*at, 3, colour.filled())))?;
            }
        }
        let centre = TextStyle::from((FONT, 13)).pos(plotters::style::text_anchor::Pos::new(
            plotters::style::text_anchor::HPos::Center,
            plotters::style::text_anchor::VPos::Top,
        ));
        for (at, name) in self.groups.iter().enumerate() {
            let (x, bottom) = chart.backend_coord(&(at as f64, y.0));
            area.draw(&Text::new(name.clone(), (x, bottom + 6), centre.clone()))?;
        }
        self.draw_legend(&legend)
    }

    fn draw_legend<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, plotters::coord::Shift>,
    ) -> anyhow::Result<()>
    where
        B::ErrorType: 'static,
    {
        for (at, series) in self.series.iter().enumerate() {
            let (y, colour) = (52 + 22 * at as i32, COLOURS[at % COLOURS.len()]);
            let is_pale = series.is_published && !self.groups.is_empty();
            let fill = colour.mix(if is_pale { 0.35 } else { 1.0 });
            area.draw(&Rectangle::new([(4, y), (22, y + 6)], fill.filled()))?;
            let style = TextStyle::from((FONT, 13)).transform(FontTransform::None);
            let dashes = if self.groups.is_empty() { "- - " } else { "" };
            let name = match series.is_published {
                true => format!("{dashes}{} (published)", series.name),
                false => series.name.clone(),
            };
            area.draw(&Text::new(name, (28, y - 4), style))?;
        }
        Ok(())
    }
}
