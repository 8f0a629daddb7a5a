//! A whole RDB stream as a sequence of events. `persist` runs it over a file, the replica link over a socket.
//!
//!     let mut reader = RdbReader::new(file)?;                  // reads the header
//!     loop {
//!         match reader.next_event()? {
//!             Event::Key(key) => match key.value_type {        // now the value must be read, from the reader
//!                 value_type::STRING => insert(key, decode::read_string(&mut reader)?),
//!                 other => return Err(RdbError::UnknownType(other)),
//!             },
//!             Event::Eof { .. } => break,
//!             ...
//!         }
//!     }
//!
//! Always: after `Event::Key` the caller reads the value before it asks for the next event. Whatever precedes a
//! key (deadline, idle time, frequency) arrives together with it. `Event::Eof` means that the checksum was right.

use std::io::Read;

use crate::codec::rdb::decode::{read_bytes, read_length, read_ms};
use crate::codec::rdb::source::{Source, StreamSource};
use crate::codec::rdb::{Format, RdbError, opcode};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A named piece of information; unknown names are to be ignored.
    Aux { name: Vec<u8>, value: Vec<u8> },
    /// The keys that follow belong to this database.
    SelectDb(u64),
    /// A hint how many keys follow in this database, and how many of them with a deadline.
    ResizeDb { keys: u64, expires: u64 },
    /// The keys that follow belong to this cluster slot (a hint as well).
    SlotInfo { slot: u64, keys: u64, expires: u64 },
    /// The source of a function library.
    Function(Vec<u8>),
    /// Data of a module; its contents have been skipped. Redis refuses to start without that module.
    ModuleAux { module: ModuleId },
    /// A key; its value comes next in the stream and is read by the caller.
    Key(KeyHead),
    /// The end; nothing of what follows in the stream was looked at.
    Eof { checksum: Verified },
}

/// What stands before a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHead {
    pub key: Vec<u8>,
    /// One of `rdb::value_type`, known to the stream's format.
    pub value_type: u8,
    /// Deadline in Unix milliseconds.
    pub expire_at_ms: Option<i64>,
    /// Seconds since the key was last used (under an LRU policy).
    pub idle_seconds: Option<u64>,
    /// LFU counter (under an LFU policy).
    pub frequency: Option<u8>,
}

/// How far the checksum at the end was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It was there and right.
    Right,
    /// The writer had checksums disabled.
    NotStored,
    /// The format is too old to have one, or the caller did not want to know.
    NotChecked,
}

/// A module's type: a name of nine characters and a version, packed in 64 bits.
///
///     6 bits each for nine characters (highest first), 10 bits for the encoding version
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleId(pub u64);

impl ModuleId {
    pub fn name(self) -> String {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..9).map(|place| char::from(ALPHABET[(self.0 >> (58 - 6 * place) & 63) as usize])).collect()
    }
}

pub struct RdbReader<R> {
    source: StreamSource<R>,
    format: Format,
    verify_checksum: bool,
}

impl<R: Read> RdbReader<R> {
    /// Reads the header. Fails with [`RdbError::BadMagic`] or [`RdbError::Version`] if this is not for us.
    pub fn new(reader: R) -> Result<RdbReader<R>, RdbError> {
        let mut source = StreamSource::new(reader);
        let format = Format::parse(&source.read_array()?)?;
        Ok(RdbReader { source, format, verify_checksum: true })
    }

    /// Whether the checksum is compared (`rdbchecksum`); it is unless told otherwise.
    pub fn set_verify_checksum(&mut self, verify: bool) {
        self.verify_checksum = verify;
    }

    pub fn format(&self) -> Format {
        self.format
    }

    /// Bytes of the stream that have been decoded, for progress.
    pub fn position(&self) -> u64 {
        self.source.position()
    }

    /// The reader, and bytes that were read from it beyond what has been decoded. After [`Event::Eof`] that is
    /// the beginning of whatever follows the RDB, for instance the replication stream.
    pub fn into_parts(self) -> (R, Vec<u8>) {
        self.source.into_parts()
    }

    /// The next event. After `Event::Key` the value must be read first; after `Event::Eof` or an error there is
    /// nothing to ask for.
    pub fn next_event(&mut self) -> Result<Event, RdbError> {
        let (mut expire_at_ms, mut idle_seconds, mut frequency) = (None, None, None);
        loop {
            match self.source.read_u8()? {
                opcode::EXPIRETIME => {
                    let seconds = i32::from_le_bytes(self.source.read_array()?);
                    expire_at_ms = Some(i64::from(seconds) * 1000);
                }
                opcode::EXPIRETIME_MS => expire_at_ms = Some(read_ms(&mut self.source)?),
                opcode::IDLE => idle_seconds = Some(read_length(&mut self.source)?),
                opcode::FREQ => frequency = Some(self.source.read_u8()?),
                value_type if value_type < opcode::HASH_TEMPLATE => {
                    if !self.format.knows_type(value_type) {
                        return Err(RdbError::UnknownType(value_type));
                    }
                    let key = read_bytes(&mut self.source)?;
                    return Ok(Event::Key(KeyHead {
                        key,
                        value_type,
                        expire_at_ms,
                        idle_seconds,
                        frequency,
                    }));
                }
                // Redis lets attributes wait until the next key, whatever stands between; nobody writes that.
                opcode => return self.between_keys(opcode),
            }
        }
    }

    fn between_keys(&mut self, opcode: u8) -> Result<Event, RdbError> {
        let source = &mut self.source;
        Ok(match opcode {
            opcode::AUX => Event::Aux { name: read_bytes(source)?, value: read_bytes(source)? },
            opcode::SELECTDB => Event::SelectDb(read_length(source)?),
            opcode::RESIZEDB => Event::ResizeDb { keys: read_length(source)?, expires: read_length(source)? },
            opcode::SLOT_INFO => Event::SlotInfo {
                slot: read_length(source)?,
                keys: read_length(source)?,
                expires: read_length(source)?,
            },
            opcode::FUNCTION2 => Event::Function(read_bytes(source)?),
            opcode::MODULE_AUX => {
                let module = ModuleId(read_length(source)?);
                skip_module_value(source)?;
                Event::ModuleAux { module }
            }
            opcode::EOF => Event::Eof { checksum: self.read_checksum()? },
            unknown => return Err(RdbError::UnknownOpcode(unknown)),
        })
    }

    fn read_checksum(&mut self) -> Result<Verified, RdbError> {
        if !self.format.has_checksum() {
            return Ok(Verified::NotChecked);
        }
        let computed = self.source.checksum();
        let stored = u64::from_le_bytes(self.source.read_array()?);
        match stored {
            _ if !self.verify_checksum => Ok(Verified::NotChecked),
            0 => Ok(Verified::NotStored),
            stored if stored == computed => Ok(Verified::Right),
            stored => Err(RdbError::Checksum { stored, computed }),
        }
    }
}

/// The value behind an `Event::Key` is read from the reader itself.
impl<R: Read> Source for RdbReader<R> {
    #[inline]
    fn read_exact(&mut self, into: &mut [u8]) -> Result<(), RdbError> {
        self.source.read_exact(into)
    }
}

/// Skips what a module wrote: pieces that each announce their kind, up to a mark.
pub fn skip_module_value(source: &mut impl Source) -> Result<(), RdbError> {
    const END: u64 = 0;
    const SIGNED: u64 = 1;
    const UNSIGNED: u64 = 2;
    const FLOAT: u64 = 3;
    const DOUBLE: u64 = 4;
    const STRING: u64 = 5;
    loop {
        match read_length(source)? {
            END => return Ok(()),
            SIGNED | UNSIGNED => {
                read_length(source)?;
            }
            FLOAT => {
                source.read_array::<4>()?;
            }
            DOUBLE => {
                source.read_array::<8>()?;
            }
            STRING => {
                read_bytes(source)?;
            }
            _ => return Err(RdbError::Corrupt("a module's data has a piece of undefined kind")),
        }
    }
}
