//! An input as a picture: two pixels a character, one above the other.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::super::super::look::{Look, Tone};
use super::super::pen;
use crate::plan::Input;

/// An input that can be seen.
pub(super) struct Picture<'i> {
    /// Channel by channel, row by row.
    pixels: &'i [f32],
    height: usize,
    width: usize,
    coloured: bool,
    /// What is black, and what is white.
    range: (f32, f32),
}

/// From dark to light, for those who have no colours.
const RAMP: [&str; 10] = [" ", ".", ":", "-", "=", "+", "*", "#", "%", "@"];

/// Pictures are not blown up more than so many times.
const LARGEST: usize = 3;

/// So many samples each way make a pixel, however large the input is.
const SAMPLES: usize = 4;

impl<'i> Picture<'i> {
    /// One tensor of shape […, H, W] with one or three channels.
    pub(super) fn of(input: &'i Input) -> Option<Self> {
        let [tensor] = &input.tensors[..] else { return None };
        let (before, &[height, width]) = tensor.shape().split_last_chunk::<2>()?;
        let channels: usize = before.iter().product();
        let coloured = channels == 3 && before.last() == Some(&3);
        if height < 2 || width < 2 || !(channels == 1 || coloured) {
            return None;
        }
        let pixels = tensor.as_slice()?;
        // Most inputs are scaled to 0..1; for others the range is taken as it comes.
        let range = pixels.iter().fold((0.0_f32, 1.0_f32), |(low, high), value| {
            if value.is_finite() { (low.min(*value), high.max(*value)) } else { (low, high) }
        });
        Some(Self { pixels, height, width, coloured, range })
    }

    /// How many columns and rows it takes of those there are.
    pub(super) fn size(&self, columns: u16, rows: u16) -> (u16, u16) {
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        let (wide, high) = (self.width * LARGEST, self.height * LARGEST);
        let columns = columns.min(wide).min(rows * 2 * self.width / self.height);
        // Pixels that are all of one size look best.
        let columns = match columns / self.width {
            0 => columns,
            times => times * self.width,
        };
        let pixels = (columns * self.height).div_ceil(self.width).min(high);
        (columns as u16, pixels.div_ceil(2).min(rows) as u16)
    }

    pub(super) fn draw(&self, look: &Look, area: Rect, to: &mut Buffer) {
        // Without colours there are no greys either.
        let colours = !look.ascii && look.style(Tone::Good).fg.is_some();
        let (columns, rows) = (usize::from(area.width), usize::from(area.height));
        for y in 0..rows {
            for x in 0..columns {
                let pixel = |half: usize| self.pixel((x, columns), (2 * y + half, 2 * rows));
                let (above, below) = (pixel(0), pixel(1));
                let (sign, style) = if colours {
                    ("▀", Style::new().fg(colour(above)).bg(colour(below)))
                } else {
                    (ramp(above, below), look.style(Tone::Text))
                };
                pen::dot(area, x as u16, y as u16, sign, style, to);
            }
        }
    }

    /// The mean colour of a part of the picture: the i-th of n, across and down.
    fn pixel(&self, across: (usize, usize), down: (usize, usize)) -> [f32; 3] {
        let places = |(at, of): (usize, usize), size: usize| {
            let (from, to) = (at * size / of, ((at + 1) * size).div_ceil(of));
            let step = (to - from).div_ceil(SAMPLES).max(1);
            (from..to.min(size)).step_by(step)
        };
        let (mut sum, mut count) = ([0.0_f32; 3], 0.0_f32);
        for y in places(down, self.height) {
            for x in places(across, self.width) {
                for (channel, sum) in sum.iter_mut().enumerate() {
                    *sum += self.value(channel, y, x);
                }
                count += 1.0;
            }
        }
        sum.map(|sum| sum / count.max(1.0))
    }

    /// From 0 to 1; a grey picture has the same in every channel.
    fn value(&self, channel: usize, y: usize, x: usize) -> f32 {
        let channel = if self.coloured { channel } else { 0 };
        let value = self.pixels[(channel * self.height + y) * self.width + x];
        let (low, high) = self.range;
        ((value - low) / (high - low)).clamp(0.0, 1.0)
    }
}

fn colour(pixel: [f32; 3]) -> Color {
    let [red, green, blue] = pixel.map(|part| (part * 255.0).round() as u8);
    Color::Rgb(red, green, blue)
}

fn ramp(above: [f32; 3], below: [f32; 3]) -> &'static str {
    let light = above.iter().chain(&below).sum::<f32>() / 6.0;
    let at = (light * (RAMP.len() - 1) as f32).round();
    RAMP[(at.max(0.0) as usize).min(RAMP.len() - 1)]
}
