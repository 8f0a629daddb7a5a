//! From arguments to a `Config`: file, standard input and command line are read as one text, the last word wins.
//!
//! ```text
//!   defaults of the rows <- file (with its includes) <- standard input <- command line <- checks of the whole
//! ```
//!
//! Called once, by `main`. Any bytes lead to a configuration or to an error that names the line; nothing panics.
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Fault, Place, Wrong};
use super::fields::Config;
use super::row::Effect;
use super::strangers::{self, Verdict};
use super::value::Value;
use super::{argv, include, line, path, rows};

/// Deeper nesting is a file that includes itself.
const INCLUDE_DEPTH_MAX: usize = 16;

/// What a configuration was made from: REWRITE needs the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Absolute path of the file that the server was started with.
    pub file: Option<PathBuf>,
    /// The arguments after the program's name.
    pub argv: Vec<OsString>,
    /// `rename-command`, in the order of the lines.
    pub renames: Vec<Rename>,
    /// Names of directives that were set to something else than their default and have no effect here.
    pub ignored: Vec<String>,
}

/// A line `rename-command FROM TO`. Which commands there are is not known here: whoever knows says so with [`Rename::wrong`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    pub from: Vec<u8>,
    /// Empty: nobody may call it any more.
    pub to: Vec<u8>,
    place: Place,
    number: usize,
    text: Vec<u8>,
}

impl Rename {
    /// The error that names this line.
    pub fn wrong(&self, reason: &str) -> ConfigError {
        let (place, number, text) = (self.place.clone(), self.number, self.text.clone());
        ConfigError(Fault::Line { place, number, text, wrong: wrong(reason, "") })
    }
}

/// Reads the configuration that the arguments (without the program's name) ask for. Reads standard input if they
/// say so.
///
/// # Errors
/// A file cannot be read, a line is wrong, or the log file cannot be opened; the message is complete.
pub fn from_args(argv: &[OsString]) -> Result<(Config, Origin), ConfigError> {
    from_args_and_stdin(argv, &mut io::stdin())
}

/// [`from_args`] with the source to read for `-`.
///
/// # Errors
/// As `from_args`.
pub fn from_args_and_stdin(argv: &[OsString], stdin: &mut dyn Read) -> Result<(Config, Origin), ConfigError> {
    let command_line = argv::parse(argv);
    let mut loader =
        Loader { config: Config::default(), save_seen: false, renames: Vec::new(), ignored: Vec::new() };
    loader.config.dir = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let file = command_line.file.map(|file| std::path::absolute(&file).unwrap_or(file));
    if let Some(file) = &file {
        loader.files(file.as_os_str(), 0)?;
    }
    if command_line.stdin {
        let content = include::read_all(stdin).map_err(|error| unreadable(Path::new("-"), &error))?;
        loader.text(&Place::Stdin, &content, 0)?;
    }
    loader.text(&Place::CommandLine, &command_line.lines, 0)?;
    check_log_file(&loader.config)?;
    let ignored = loader.ignored();
    Ok((loader.config, Origin { file, argv: argv.to_vec(), renames: loader.renames, ignored }))
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    ConfigError(Fault::Unreadable { path: path.to_path_buf(), reason: path::reason(error) })
}

/// A log that cannot be written is found out while there still is a terminal to say so.
fn check_log_file(config: &Config) -> Result<(), ConfigError> {
    if config.logfile.as_os_str().is_empty() {
        return Ok(());
    }
    match OpenOptions::new().append(true).create(true).open(config.dir.join(&config.logfile)) {
        Ok(_) => Ok(()),
        Err(error) => Err(ConfigError(Fault::Whole {
            reason: format!("Can't open the log file: {}", path::reason(&error)),
        })),
    }
}

/// The configuration as far as it was read.
struct Loader {
    config: Config,
    /// The first `save` replaces the defaults, later ones add to it.
    save_seen: bool,
    renames: Vec<Rename>,
    /// Names without a row that were passed over.
    ignored: Vec<String>,
}

impl Loader {
    /// What a person who moves here should hear of: settings that differ from their default and change nothing.
    fn ignored(&self) -> Vec<String> {
        let idle = rows::all().filter(|row| row.effect == Effect::None);
        let changed = idle.filter(|row| row.get(&self.config) != row.default_value());
        let mut names: Vec<String> =
            changed.map(|row| row.name.to_string()).chain(self.ignored.iter().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// Reads the file or, if the name is a pattern, the files.
    fn files(&mut self, name: &OsStr, depth: usize) -> Result<(), ConfigError> {
        for file in include::files(&self.config.dir, name.as_bytes()) {
            let content = include::read(&file).map_err(|error| unreadable(&file, &error))?;
            self.text(&Place::File(file), &content, depth)?;
        }
        Ok(())
    }

    fn text(&mut self, place: &Place, content: &[u8], depth: usize) -> Result<(), ConfigError> {
        for (at, text) in content.split(|byte| *byte == b'\n').enumerate() {
            let text = line::trim(text);
            let fault =
                |wrong| Fault::Line { place: place.clone(), number: at + 1, text: text.to_vec(), wrong };
            match self.line(text) {
                Ok(Line::Done) => {}
                Ok(Line::Include(_)) if depth >= INCLUDE_DEPTH_MAX => {
                    let reason = format!("Files include each other more than {INCLUDE_DEPTH_MAX} deep");
                    return Err(ConfigError(fault(Wrong {
                        reason,
                        hint: "a file seems to include itself".into(),
                    })));
                }
                Ok(Line::Rename { from, to }) => {
                    let (place, text) = (place.clone(), text.to_vec());
                    self.renames.push(Rename { from, to, place, number: at + 1, text });
                }
                Ok(Line::Include(name)) => self.files(OsStr::from_bytes(&name), depth + 1)?,
                Err(wrong) => return Err(ConfigError(fault(wrong))),
            }
        }
        Ok(())
    }

    fn line(&mut self, text: &[u8]) -> Result<Line, Wrong> {
        if text.is_empty() || text[0] == b'#' {
            return Ok(Line::Done);
        }
        let Some(words) = line::split(text) else {
            let hint = "every quote needs its partner, followed by a blank or the end of the line";
            return Err(wrong("Unbalanced quotes in configuration line", hint));
        };
        let Some((name, values)) = words.split_first() else { return Ok(Line::Done) };
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        if rows::find(name).is_some() {
            return self.directive(name, &values).map(|()| Line::Done);
        }
        if let ([file], true) = (values.as_slice(), name.eq_ignore_ascii_case(b"include")) {
            return Ok(Line::Include(file.to_vec()));
        }
        if let ([from, to], true) = (values.as_slice(), name.eq_ignore_ascii_case(b"rename-command")) {
            return Ok(Line::Rename { from: from.to_vec(), to: to.to_vec() });
        }
        match strangers::judge(name, &values) {
            Verdict::Harmless => {}
            Verdict::Ignored(name) => self.ignored.push(name),
            Verdict::Refused(hint) => return Err(wrong("Bad directive or wrong number of arguments", &hint)),
        }
        Ok(Line::Done)
    }

    /// Sets a directive that has a row.
    fn directive(&mut self, name: &[u8], values: &[&[u8]]) -> Result<(), Wrong> {
        let Some((row, spelling)) = rows::find(name) else { return Ok(()) };
        let refuse = |reason: &str| wrong(reason, &format!("'{spelling}' takes {}", row.allowed()));
        let old = row.get(&self.config);
        let value = match values {
            // One argument that holds all the words: --replicaof "host port".
            [all] if row.takes_several() && !all.is_empty() => {
                let words =
                    line::split(all).ok_or_else(|| refuse("Unbalanced quotes in configuration line"))?;
                let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                row.kind.parse(&words, &old)
            }
            _ => row.kind.parse(values, &old),
        };
        let value = self.accumulate(value.map_err(|reason| refuse(&reason))?, old);
        row.set(&mut self.config, value);
        Ok(())
    }

    /// Save points of several lines add up, as long as none says `save ""`.
    fn accumulate(&mut self, new: Value, old: Value) -> Value {
        match (new, old) {
            (Value::Save(added), Value::Save(mut points)) => {
                if !self.save_seen || added.is_empty() {
                    points.clear();
                }
                self.save_seen = true;
                points.extend(added);
                Value::Save(points)
            }
            (new, _) => new,
        }
    }
}

/// What a good line asks for.
enum Line {
    Done,
    Include(Vec<u8>),
    Rename { from: Vec<u8>, to: Vec<u8> },
}

fn wrong(reason: &str, hint: &str) -> Wrong {
    Wrong { reason: reason.into(), hint: hint.into() }
}
