//! The table: from a command's name, in any case, to its row, in a few nanoseconds.
//!
//! Built once from the lists of the command groups (`commands::ALL`), with other names where `rename-command` says so; read by
//! dispatch, COMMAND, INFO, CLIENT LIST.
//! Always: an id names the same command for the life of the process; ids are dense, subcommands included.

use std::sync::OnceLock;

use crate::commands::spec::{Flags, Group, KeyHandler, Row, Run};

/// A command's place in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CommandId(pub u16);

/// A row with what is derived from its place.
pub struct Command {
    pub id: CommandId,
    pub row: &'static Row,
    /// `get`, `client|list`.
    pub full_name: &'static str,
    /// The subcommands of a container.
    pub subcommands: Vec<CommandId>,
    pub container: Option<CommandId>,
    /// `rename-command` has taken its name away: no client reaches it.
    pub is_removed: bool,
    /// Set for commands on exactly one key that never wait: they can run one after another without further ado.
    pub plain: Option<Plain>,
}

/// What running a plain command takes.
#[derive(Clone, Copy)]
pub struct Plain {
    pub handler: KeyHandler,
    /// The argument that is the key.
    pub key: usize,
}

impl Plain {
    fn of(row: &Row) -> Option<Plain> {
        let (Run::Keyed(handler), Some(key)) = (row.run, row.keys.single()) else { return None };
        // Commands that may take long are timed one by one (`exec::slowness`).
        let is_quick = row.flags.has(Flags::FAST) || row.group == Group::String;
        (is_quick && !row.flags.has(Flags::BLOCKING)).then_some(Plain { handler, key })
    }
}

/// All commands, by name.
pub struct Table {
    commands: Vec<Command>,
    /// What clients call the top-level ones; empty for those that are removed, and for subcommands.
    names: Vec<Box<[u8]>>,
    /// Open addressing over top-level names.
    slots: Box<[Slot; SLOTS]>,
}

/// A place for a name. The first eight letters and the length are compared here, without a look at the row.
#[derive(Clone, Copy, Default)]
struct Slot {
    letters: u64,
    len: u32,
    /// 0 is empty, otherwise the id plus one.
    id: u16,
    /// Is a name of this length with these letters this one? Not if it has more than eight, or other bytes than letters,
    /// of which two can look alike once bit 5 is set.
    is_exact: bool,
}

/// Four times the commands of Redis, so that a look-up seldom meets a second name.
const SLOTS: usize = 2048;

static TABLE: OnceLock<Table> = OnceLock::new();

/// The table of this program.
#[inline]
pub fn table() -> &'static Table {
    TABLE.get_or_init(|| Table::new(crate::commands::ALL, &Names::original(crate::commands::ALL)))
}

/// Why a command does not get another name. The texts are Redis'.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RenameError {
    NoSuchCommand,
    NameTaken,
}

impl std::fmt::Display for RenameError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            RenameError::NoSuchCommand => "No such command in rename-command",
            RenameError::NameTaken => "Target command name already exists",
        })
    }
}

/// Gives commands other names, one after another; an empty one takes it away. Once, before anybody looks a command up.
///
/// # Errors
/// The number of the pair that is wrong, and why.
pub fn rename_commands(pairs: &[(&[u8], &[u8])]) -> Result<(), (usize, RenameError)> {
    let mut names = Names::original(crate::commands::ALL);
    for (number, (from, to)) in pairs.iter().enumerate() {
        names.rename(from, to).map_err(|error| (number, error))?;
    }
    let table = Table::new(crate::commands::ALL, &names);
    assert!(TABLE.set(table).is_ok(), "main renames before it starts anything");
    Ok(())
}

/// What each top-level command is called, in the order of their rows; none is nobody's name.
struct Names(Vec<Option<Vec<u8>>>);

impl Names {
    fn original(groups: &[&'static [Row]]) -> Names {
        Names(groups.iter().copied().flatten().map(|row| Some(row.name.as_bytes().to_vec())).collect())
    }

    fn find(&self, name: &[u8]) -> Option<usize> {
        self.0.iter().position(|known| known.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name)))
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), RenameError> {
        let at = self.find(from).ok_or(RenameError::NoSuchCommand)?;
        self.0[at] = None;
        if to.is_empty() {
            return Ok(());
        }
        if self.find(to).is_some() {
            return Err(RenameError::NameTaken);
        }
        self.0[at] = Some(to.to_vec());
        Ok(())
    }
}

impl Table {
    fn new(groups: &[&'static [Row]], names: &Names) -> Table {
        let mut table =
            Table { commands: Vec::new(), names: Vec::new(), slots: Box::new([Slot::default(); SLOTS]) };
        for (row, name) in groups.iter().copied().flatten().zip(&names.0) {
            let id = table.add(row, row.name, None);
            for sub in row.subcommands {
                let full_name = Box::leak(format!("{}|{}", row.name, sub.name).into_boxed_str());
                let sub_id = table.add(sub, full_name, Some(id));
                table.commands[id.0 as usize].subcommands.push(sub_id);
            }
            let Some(name) = name else {
                table.remove(id);
                continue;
            };
            table.names[usize::from(id.0)] = name.as_slice().into();
            let letters = letters_of(name);
            let mut slot = slot_of(letters, name);
            while table.slots[slot].id != 0 {
                slot = (slot + 1) % SLOTS;
            }
            let is_exact = name.len() <= 8 && name.iter().all(u8::is_ascii_alphabetic);
            table.slots[slot] = Slot { letters, len: name.len() as u32, id: id.0 + 1, is_exact };
        }
        table
    }

    fn add(&mut self, row: &'static Row, full_name: &'static str, container: Option<CommandId>) -> CommandId {
        let id = CommandId(u16::try_from(self.commands.len()).expect("fewer than 65,536 rows"));
        self.commands.push(Command {
            id,
            row,
            full_name,
            subcommands: Vec::new(),
            container,
            is_removed: false,
            plain: Plain::of(row),
        });
        self.names.push(Box::default());
        id
    }

    fn remove(&mut self, id: CommandId) {
        let subcommands = self.commands[usize::from(id.0)].subcommands.clone();
        for id in subcommands.into_iter().chain([id]) {
            self.commands[usize::from(id.0)].is_removed = true;
        }
    }

    #[inline]
    pub fn get(&self, id: CommandId) -> &Command {
        &self.commands[id.0 as usize]
    }

    /// All commands and subcommands.
    pub fn iter(&self) -> impl Iterator<Item = &Command> {
        self.commands.iter()
    }

    pub fn len(&self) -> usize {
        self.commands.len()
    }

    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// A top-level command by its name in any case.
    #[inline]
    pub fn lookup(&self, name: &[u8]) -> Option<&Command> {
        let letters = letters_of(name);
        let mut at = slot_of(letters, name);
        loop {
            let slot = self.slots[at];
            if slot.id == 0 {
                return None;
            }
            if slot.letters == letters && slot.len as usize == name.len() {
                let id = slot.id as usize - 1;
                if slot.is_exact || self.names[id].eq_ignore_ascii_case(name) {
                    return Some(&self.commands[id]);
                }
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// A top-level command by what it was called before `rename-command`, in any case.
    pub fn original(&self, name: &[u8]) -> Option<&Command> {
        let mut commands = self.commands.iter().filter(|command| command.container.is_none());
        commands.find(|command| command.row.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// A command by its name, or `container|subcommand`.
    pub fn find(&self, name: &[u8]) -> Option<&Command> {
        match name.iter().position(|byte| *byte == b'|') {
            None => self.lookup(name),
            Some(bar) => {
                let container =
                    self.lookup(&name[..bar]).filter(|command| !command.subcommands.is_empty())?;
                self.subcommand(container, &name[bar + 1..])
            }
        }
    }

    /// A subcommand of a command that has some by its word in any case.
    pub fn subcommand(&self, container: &Command, word: &[u8]) -> Option<&Command> {
        debug_assert!(!container.subcommands.is_empty());
        let mut subcommands = container.subcommands.iter().map(|id| self.get(*id));
        subcommands.find(|command| command.row.name.as_bytes().eq_ignore_ascii_case(word))
    }
}

/// Mixes the length with the first eight letters, lower-cased by setting bit 5 of each byte, and the last one.
#[inline]
fn slot_of(letters: u64, name: &[u8]) -> usize {
    let last = name.last().map_or(0, |byte| u64::from(byte | 0x20));
    let mixed = (letters ^ (name.len() as u64) << 3 ^ last << 48).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 53) as usize % SLOTS
}

/// The first eight letters as one word, shorter names padded, without a copy of variable length.
#[inline]
fn letters_of(name: &[u8]) -> u64 {
    let word = |at: usize, len: usize| {
        let mut bytes = [0u8; 8];
        bytes[..len].copy_from_slice(&name[at..at + len]);
        u64::from_le_bytes(bytes)
    };
    let letters = match name.len() {
        0 => 0,
        1 => word(0, 1),
        // Two reads that overlap cover every length in between.
        2 | 3 => word(0, 2) | word(name.len() - 2, 2) << (8 * (name.len() - 2)),
        4..=7 => word(0, 4) | word(name.len() - 4, 4) << (8 * (name.len() - 4)),
        _ => word(0, 8),
    };
    letters | 0x2020_2020_2020_2020
}

#[cfg(test)]
mod tests {
    use super::{Names, RenameError, Table, table};
    use crate::commands::ALL;

    #[test]
    fn every_row_is_found_by_its_name_in_any_case() {
        for command in table().iter().filter(|command| command.container.is_none()) {
            let lower = table().lookup(command.row.name.as_bytes()).expect("listed");
            let upper = table().lookup(command.row.name.to_ascii_uppercase().as_bytes()).expect("listed");
            assert_eq!((lower.id, upper.id), (command.id, command.id), "{}", command.full_name);
        }
        assert!(table().lookup(b"no-such-command").is_none());
        assert!(table().lookup(b"").is_none());
    }

    #[test]
    fn a_renamed_command_answers_to_its_new_name_alone_and_a_removed_one_to_none() {
        let mut names = Names::original(ALL);
        for (from, to, expected) in [
            ("get", "fetch-it", Ok(())),
            ("GET", "x", Err(RenameError::NoSuchCommand)),
            ("Fetch-It", "Take", Ok(())),
            ("config", "", Ok(())),
            ("config|get", "x", Err(RenameError::NoSuchCommand)),
            ("set", "GET", Ok(())),
        ] {
            assert_eq!(names.rename(from.as_bytes(), to.as_bytes()), expected, "{from} {to}");
        }
        let table = Table::new(ALL, &names);
        let called = |name: &str| table.lookup(name.as_bytes()).map(|command| command.full_name);
        for (name, expected) in [
            ("take", Some("get")),
            ("TAKE", Some("get")),
            ("fetch-it", None),
            ("get", Some("set")),
            ("set", None),
            ("config", None),
            ("tak\u{5}", None),
        ] {
            assert_eq!(called(name), expected, "{name}");
        }
        assert_eq!(table.original(b"Get").map(|command| command.full_name), Some("get"));
        let removed: Vec<&str> = table.iter().filter(|it| it.is_removed).map(|it| it.full_name).collect();
        assert!(removed.len() > 1 && removed.iter().all(|name| name.starts_with("config")), "{removed:?}");
        assert_eq!(names.rename(b"take", b"DEL"), Err(RenameError::NameTaken));
    }
}
