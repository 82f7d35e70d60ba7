//! A topology whose coding is still open: the file and its model are read once, and planned again and
//! again with another way to run the layers.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::build::Ground;
use super::source::{Problems, Source, To};
use super::topology::{SiblingsFile, SplitFile, TopologyFile};
use super::{CodeFile, Device, Input, Machine, Plan, Policy};
use crate::model::Network;
use crate::units::{Bytes, DeviceId, Span};

/// A topology without its coding.
#[derive(Debug)]
pub struct Draft {
    source: Source,
    ground: Ground,
    requests: usize,
}

/// How some layers are run.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// One; or neighbours, if they are run whole.
    pub layers: Vec<String>,
    pub way: Way,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Way {
    /// By the supervisor.
    Local,
    /// Split over devices, a share each.
    Coded { code: CodeFile, split: SplitFile, on: Vec<DeviceId> },
    /// By one device; each of them is a replica.
    Whole { on: Vec<DeviceId> },
}

impl Draft {
    /// Reads a topology; what it says about coding is not looked at.
    ///
    /// # Errors
    /// Everything else that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let (source, file) = Source::read::<TopologyFile>(path)?;
        Self::of(source, &file, None)
    }

    /// Like [`Self::read`], from text that could stand at `path`.
    ///
    /// # Errors
    /// Like [`Self::read`].
    pub fn parse(path: &Path, text: String) -> Result<Self, Problems> {
        let (source, file) = Source::parse::<TopologyFile>(path, text)?;
        Self::of(source, &file, None)
    }

    fn of(source: Source, file: &TopologyFile, known: Option<&Ground>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let ground = Ground::new(&source, file, known, &mut problems);
        let mut ground = source.verdict(ground, problems)?;
        // It is planned for times, which do not hang on what is asked.
        ground.inputs.truncate(1);
        Ok(Self { source, ground, requests: file.requests })
    }

    /// The same model and its input, in a topology that says something else about all the rest.
    ///
    /// # Errors
    /// Like [`Self::read`].
    pub fn reworded(&self, text: String) -> Result<Self, Problems> {
        let (source, file) = Source::parse::<TopologyFile>(self.source.path(), text)?;
        Self::of(source, &file, Some(&self.ground))
    }

    pub fn network(&self) -> &Network {
        &self.ground.network
    }

    pub fn supervisor(&self) -> &Machine {
        &self.ground.supervisor
    }

    pub fn devices(&self) -> &[Device] {
        &self.ground.devices
    }

    pub fn policy(&self) -> &Policy {
        &self.ground.policy
    }

    /// The first of the topology's inputs.
    pub fn input(&self) -> &Input {
        self.ground.inputs.first().expect("a set of inputs is not empty")
    }

    /// How many requests a run sends if nobody says otherwise.
    pub fn requests(&self) -> usize {
        self.requests
    }

    /// The topology's file name without its extension.
    pub fn name(&self) -> String {
        let stem = self.source.path().file_stem();
        stem.map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
    }

    /// The plan with the layers run so, and with the first of the topology's inputs.
    ///
    /// # Errors
    /// If they cannot be: a device would hold more than its memory, or a part cannot be cut out.
    pub fn plan(&self, parts: &[Part]) -> Result<Plan, Problems> {
        self.plan_of(parts, &mut |_| {})
    }

    /// Like [`Self::plan`], whatever memory and time it takes, and each layer by itself: to look at its
    /// stages.
    ///
    /// # Errors
    /// If a part cannot be cut out.
    pub fn sketch(&self, parts: &[Part]) -> Result<Plan, Problems> {
        self.plan_of(parts, &mut |file| {
            file.devices.iter_mut().for_each(|device| device.memory = Bytes(u64::MAX));
            file.policy.deadline = AGES;
            file.coding.deadline = None;
            file.coding.siblings = SiblingsFile::Apart;
        })
    }

    fn plan_of(
        &self,
        parts: &[Part],
        change: &mut dyn FnMut(&mut TopologyFile),
    ) -> Result<Plan, Problems> {
        // By way of the text, so that what is written and what was tried are the same.
        let text = self.written(parts, &[], self.source.path());
        let (source, mut file) = Source::parse::<TopologyFile>(self.source.path(), text)?;
        change(&mut file);
        let mut problems = Vec::new();
        let plan = self.ground.clone().build(&source, &file, &mut problems);
        source.verdict(plan, problems)
    }

    /// The topology with the layers run so, as a file that could stand at `to`; the story is put in
    /// front of it in place of its own, which may tell of another code.
    pub fn written(&self, parts: &[Part], story: &[String], to: &Path) -> String {
        let mut changes = self.moved(to);
        let (coding, stages) = self.words(parts);
        let list = stages.iter().map(|stage| format!("\n        {stage},")).collect::<String>();
        let list = if stages.is_empty() { "[]".to_owned() } else { format!("[{list}\n    ]") };
        let place = self.source.span(&[To::Field("coding")]).unwrap_or(0..0);
        match self.source.span(&[To::Field("stages")]) {
            Some(place) => changes.extend([(place, list)]),
            None => changes.push((place.end..place.end, format!(",\n    stages: {list}"))),
        }
        changes.push((place, coding));
        let whole = self.source.span(&[]).unwrap_or(0..0);
        let head = self.source.whole_text()[..whole.start].lines();
        let attributes = head.filter(|line| line.starts_with('#')).map(|line| format!("{line}\n"));
        let story = story.iter().map(|line| format!("// {line}\n"));
        changes.push((0..whole.start, attributes.chain(story).collect()));
        self.source.changed(changes)
    }

    /// The values of `coding` and the items of `stages`: what most layers share is said once.
    fn words(&self, parts: &[Part]) -> (String, Vec<String>) {
        let mut ways: Vec<(&Way, Vec<&str>)> = Vec::new();
        for Part { layers, way } in parts {
            let layers = layers.iter().map(String::as_str);
            let whole = matches!(way, Way::Whole { .. });
            match ways.iter_mut().find(|(known, _)| *known == way && !whole) {
                Some((_, all)) => all.extend(layers),
                None => ways.push((way, layers.collect())),
            }
        }
        let coded = ways.iter().filter(|(way, _)| matches!(way, Way::Coded { .. }));
        let most = coded.max_by_key(|(_, layers)| layers.len()).map(|(way, _)| *way);
        let deadline = self.source.span(&[To::Field("coding"), To::Field("deadline")]);
        let deadline = deadline.map_or(String::new(), |place| {
            format!(", deadline: {}", &self.source.whole_text()[place])
        });
        let siblings = self.source.span(&[To::Field("coding"), To::Field("siblings")]);
        let siblings = siblings.map_or(String::new(), |place| {
            format!(", siblings: {}", &self.source.whole_text()[place])
        });
        let (code, split, on) = match most {
            Some(Way::Coded { code, split, on }) => (*code, *split, &on[..]),
            _ => (CodeFile::Uncoded { k: 1 }, SplitFile::Output, &[DeviceId(0)][..]),
        };
        // What is split as the file would have it anyway need not say so.
        let differs = |from: SplitFile, split: SplitFile| match split == from {
            true => String::new(),
            false => format!(", split: {split:?}"),
        };
        let (said, names) = (differs(SplitFile::default(), split), self.names(on));
        let coding = format!("(code: {code}{said}, on: {names}{siblings}{deadline})");
        let others = ways.iter().filter(|(way, _)| Some(*way) != most);
        let stages = others.map(|(way, layers)| match way {
            Way::Local => format!("(layers: {layers:?}, run: Local)"),
            Way::Whole { on } => {
                format!("(layers: {layers:?}, run: Whole, on: {})", self.names(on))
            }
            Way::Coded { code, split: own, on } => {
                let said = differs(split, *own);
                format!("(layers: {layers:?}, code: {code}{said}, on: {})", self.names(on))
            }
        });
        (coding, stages.collect())
    }

    fn names(&self, devices: &[DeviceId]) -> String {
        let names: Vec<&str> =
            devices.iter().map(|device| self.ground.devices[device.0].name.as_str()).collect();
        format!("{names:?}")
    }

    /// The paths that the file names, as they are seen from where it could stand.
    fn moved(&self, to: &Path) -> Vec<(Range<usize>, String)> {
        let folder = to.parent().unwrap_or(Path::new(""));
        if Some(folder) == self.source.path().parent() {
            return Vec::new();
        }
        let mut paths = vec![
            vec![To::Field("model"), To::Item(0)],
            vec![To::Field("inputs"), To::Field("images")],
            vec![To::Field("inputs"), To::Field("labels")],
        ];
        for at in 0..self.ground.devices.len() {
            for delay in ["latency", "reply_latency"] {
                let device = [To::Field("devices"), To::Item(at)];
                paths.push([&device[..], &[To::Field(delay), To::Field("csv")]].concat());
            }
        }
        let moved = |path: Vec<To<'_>>| {
            let place = self.source.span(&path)?;
            let named = self.source.whole_text()[place.clone()].strip_prefix('"')?;
            let named = named.strip_suffix('"')?;
            Some((place, format!("{:?}", seen_from(folder, &self.source.resolve(named)))))
        };
        paths.into_iter().filter_map(moved).collect()
    }
}

/// No deadline that anybody waits for.
const AGES: Span = Span(u64::MAX / 4);

/// A file's path from a folder; absolute if there is no way.
fn seen_from(folder: &Path, file: &Path) -> String {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // An empty path is the current folder.
    let folder = whole(&Path::new(".").join(folder));
    let (folder, file) = (plain(&folder), plain(&whole(file)));
    let shared = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    if shared == 0 {
        return file.to_string_lossy().into_owned();
    }
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(file.components().skip(shared)).collect();
    path.to_string_lossy().into_owned()
}

/// Without `.` and `..`, as it is written.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_another_folder() {
        let seen = |folder: &str, file: &str| seen_from(Path::new(folder), Path::new(file));
        assert_eq!(seen("topologies", "topologies/models/a.onnx"), "models/a.onnx");
        assert_eq!(seen("", "topologies/../a.onnx"), "a.onnx");
        assert_eq!(seen("/tmp/x", "/home/a.onnx"), "../../home/a.onnx");
        assert_eq!(seen("out/here", "models/a.onnx"), "../../models/a.onnx");
    }
}
