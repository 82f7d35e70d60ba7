//! The keys: one table, which the help, the hints, the README and the key file are made from.

mod key;

use std::collections::BTreeMap;

pub use key::Key;

/// What a key can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Pause,
    Faster,
    Slower,
    StepEvent,
    StepStage,
    StepRequest,
    NextTrouble,
    BackEvent,
    BackStage,
    BackRequest,
    Beginning,
    Newest,
    Down,
    Up,
    PageDown,
    PageUp,
    NextPanel,
    LastPanel,
    Inspect,
    Back,
    Filter,
    Mark,
    Crash,
    Restart,
    Freeze,
    Slow,
    Delay,
    Drop,
    Corrupt,
    Partition,
    Monkey,
    Undo,
    HealAll,
    Repeat,
    Menu,
    Command,
    Branches,
    Write,
    ShowCommand,
    Theme,
    Help,
    Quit,
}

/// A line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub action: Action,
    /// What it is called in the key file.
    pub name: &'static str,
    pub keys: &'static [&'static str],
    pub does: &'static str,
    /// The heading it stands under.
    pub about: &'static str,
}

const fn bind(
    about: &'static str,
    action: Action,
    name: &'static str,
    keys: &'static [&'static str],
    does: &'static str,
) -> Binding {
    Binding { action, name, keys, does, about }
}

const TIME: &str = "Time";
const PLACE: &str = "Place";
const FAULTS: &str = "Faults, on the selected device or the marked ones";
const SESSION: &str = "Session";

/// Every key there is.
pub const TABLE: &[Binding] = &[
    bind(TIME, Action::Pause, "pause", &["space"], "pause, go on"),
    bind(TIME, Action::Faster, "faster", &["+", "="], "faster"),
    bind(TIME, Action::Slower, "slower", &["-"], "slower"),
    bind(TIME, Action::StepEvent, "step-event", &["right", "l"], "one event on"),
    bind(TIME, Action::BackEvent, "back-event", &["left", "h"], "one event back"),
    bind(TIME, Action::StepStage, "step-stage", &["]"], "to the next stage"),
    bind(TIME, Action::BackStage, "back-stage", &["["], "to the stage before"),
    bind(TIME, Action::StepRequest, "step-request", &["}"], "to the next request"),
    bind(TIME, Action::BackRequest, "back-request", &["{"], "to the request before"),
    bind(TIME, Action::NextTrouble, "next-trouble", &["n"], "to the next fault, loss or lie"),
    bind(TIME, Action::Beginning, "beginning", &["g", "home"], "to the beginning"),
    bind(TIME, Action::Newest, "newest", &["G", "end"], "to the newest moment"),
    bind(PLACE, Action::Down, "down", &["j", "down"], "select the next device; scroll"),
    bind(PLACE, Action::Up, "up", &["k", "up"], "select the device before; scroll"),
    bind(PLACE, Action::PageDown, "page-down", &["pgdn", "ctrl-d"], "a page down"),
    bind(PLACE, Action::PageUp, "page-up", &["pgup", "ctrl-u"], "a page up"),
    bind(PLACE, Action::NextPanel, "next-panel", &["tab"], "next panel"),
    bind(PLACE, Action::LastPanel, "last-panel", &["backtab"], "panel before"),
    bind(PLACE, Action::Inspect, "inspect", &["enter"], "fill the screen with the panel"),
    bind(PLACE, Action::Back, "back", &["esc"], "back"),
    bind(PLACE, Action::Filter, "filter", &["/"], "list only events with these words"),
    bind(FAULTS, Action::Mark, "mark", &["v"], "mark, unmark"),
    bind(FAULTS, Action::Crash, "crash", &["x"], "crash"),
    bind(FAULTS, Action::Restart, "restart", &["r"], "restart, empty"),
    bind(FAULTS, Action::Freeze, "freeze", &["z"], "freeze"),
    bind(FAULTS, Action::Slow, "slow", &["s"], "slow …"),
    bind(FAULTS, Action::Delay, "delay", &["d"], "delay its messages …"),
    bind(FAULTS, Action::Drop, "drop", &["o"], "lose some of its messages …"),
    bind(FAULTS, Action::Corrupt, "corrupt", &["c"], "let it lie …"),
    bind(FAULTS, Action::Partition, "partition", &["p"], "cut off"),
    bind(FAULTS, Action::Menu, "menu", &["f"], "all kinds of faults"),
    bind(FAULTS, Action::Command, "command", &[":"], "type a fault as in a plan file"),
    bind(FAULTS, Action::Repeat, "repeat", &["."], "the last fault again"),
    bind(FAULTS, Action::Undo, "undo", &["u"], "call off the last fault"),
    bind(FAULTS, Action::HealAll, "heal-all", &["H"], "call off all faults"),
    bind(FAULTS, Action::Monkey, "monkey", &["m"], "random faults, at a rate"),
    bind(SESSION, Action::Branches, "branches", &["b"], "compare and choose branches"),
    bind(SESSION, Action::Write, "write", &["w"], "write the session as a fault plan"),
    bind(SESSION, Action::ShowCommand, "show-command", &["y"], "the command for this moment"),
    bind(SESSION, Action::Theme, "theme", &["t"], "next theme"),
    bind(SESSION, Action::Help, "help", &["?"], "help"),
    bind(SESSION, Action::Quit, "quit", &["q", "ctrl-c"], "quit"),
];

/// Which key does what.
#[derive(Clone, Debug)]
pub struct Keymap(Vec<(Key, Action)>);

impl Default for Keymap {
    fn default() -> Self {
        let keys = |binding: &Binding| {
            let action = binding.action;
            binding.keys.iter().map(move |name| (name.parse().expect("the table is right"), action))
        };
        Self(TABLE.iter().flat_map(keys).collect())
    }
}

impl Keymap {
    pub fn action(&self, key: Key) -> Option<Action> {
        self.0.iter().find(|(bound, _)| *bound == key).map(|(_, action)| *action)
    }

    /// The keys of an action, as people call them.
    pub fn keys(&self, action: Action) -> String {
        let keys = self.0.iter().filter(|(_, bound)| *bound == action);
        keys.map(|(key, _)| key.to_string()).collect::<Vec<_>>().join(" ")
    }

    /// The first key of an action.
    pub fn key(&self, action: Action) -> String {
        self.0
            .iter()
            .find(|(_, bound)| *bound == action)
            .map_or(String::new(), |(k, _)| k.to_string())
    }

    /// With other keys for some actions, by name.
    ///
    /// # Errors
    /// For each name that is no action's, each key that is none, and each that is meant twice: of
    /// which action, and why.
    pub fn with(
        mut self,
        keys: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, Vec<(String, String)>> {
        let mut wrong = Vec::new();
        for (name, keys) in keys {
            let Some(binding) = TABLE.iter().find(|binding| binding.name == name) else {
                let names: Vec<&str> = TABLE.iter().map(|binding| binding.name).collect();
                let why = format!("nothing is called \"{name}\"; there are {}", names.join(", "));
                wrong.push((name.clone(), why));
                continue;
            };
            self.0.retain(|(_, action)| *action != binding.action);
            for key in keys {
                match key.parse() {
                    Ok(key) => self.0.push((key, binding.action)),
                    Err(why) => wrong.push((name.clone(), why)),
                }
            }
        }
        for (at, (key, action)) in self.0.iter().enumerate() {
            if self.0[..at].iter().any(|(other, _)| other == key) {
                let name = TABLE.iter().find(|binding| binding.action == *action);
                let name = name.map_or("", |binding| binding.name).to_owned();
                wrong.push((name, format!("the key {key} is meant twice")));
            }
        }
        if wrong.is_empty() { Ok(self) } else { Err(wrong) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_is_a_key_and_does_one_thing() {
        let map = Keymap::default().with(&BTreeMap::new()).expect("no key is meant twice");
        for binding in TABLE {
            for name in binding.keys {
                let key: Key = name.parse().expect("a key");
                assert_eq!(map.action(key), Some(binding.action), "{name}");
                assert_eq!(key.to_string(), *name);
            }
        }
    }

    #[test]
    fn other_keys_take_the_place_of_the_tables_and_mistakes_are_all_told() {
        let keys = |pairs: &[(&str, &str)]| {
            let pair = |(name, key): &(&str, &str)| ((*name).to_owned(), vec![(*key).to_owned()]);
            pairs.iter().map(pair).collect::<BTreeMap<_, _>>()
        };
        let map = Keymap::default().with(&keys(&[("crash", "K")])).expect("K is free");
        assert_eq!(map.action("K".parse().expect("a key")), Some(Action::Crash));
        assert_eq!(map.action("x".parse().expect("a key")), None);
        let wrong = keys(&[("crash", "q"), ("explode", "e"), ("help", "f13")]);
        let wrong = Keymap::default().with(&wrong).expect_err("three mistakes");
        let reasons: Vec<&str> = wrong.iter().map(|(_, why)| why.as_str()).collect();
        assert_eq!(reasons.len(), 3, "{reasons:?}");
        assert!(reasons.iter().any(|why| why.contains("the key q is meant twice")));
    }
}
