//! XGROUP: groups are made, moved and destroyed, and consumers in them.
//!
//! Called through its rows. Always: MKSTREAM makes a stream only if nothing else is wrong with the request.

use crate::commands::spec::help::help;
use crate::commands::spec::{Args, Control, Ctx, Effect, Failure, Flags, Keys, Row, Run, flags};
use crate::commands::stream::parse;
use crate::commands::stream::{STREAM, SUBCOMMAND};
use crate::keyspace::notify::Classes;
use crate::keyspace::space::Edit;
use crate::types::Stream;
use crate::types::stream::{Group, StreamId};

pub const ROWS: &[Row] = &[Row {
    name: "xgroup",
    arity: -2,
    keys: Keys::None,
    categories: &[],
    summary: "A container for commands on groups of a stream.",
    complexity: "Depends on subcommand.",
    subcommands: SUBCOMMANDS,
    run: Run::Container,
    ..STREAM
}];

const SUBCOMMANDS: &[Row] = &[
    Row {
        name: "create",
        arity: -5,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "insert"],
        summary: "Creates a group.",
        run: Run::Keyed(create),
        ..SUBCOMMAND
    },
    Row {
        name: "setid",
        arity: -5,
        flags: Flags::WRITE,
        access: &["RW", "update"],
        summary: "Sets the last id that a group has delivered.",
        run: Run::Keyed(setid),
        ..SUBCOMMAND
    },
    Row {
        name: "destroy",
        arity: 4,
        flags: Flags::WRITE,
        access: &["RW", "delete"],
        summary: "Destroys a group.",
        complexity: "O(N) where N is the number of entries that are pending in the group.",
        run: Run::Keyed(destroy),
        ..SUBCOMMAND
    },
    Row {
        name: "createconsumer",
        arity: 5,
        flags: flags(&[Flags::WRITE, Flags::DENYOOM]),
        access: &["RW", "insert"],
        since: "6.2.0",
        summary: "Creates a consumer in a group.",
        run: Run::Keyed(createconsumer),
        ..SUBCOMMAND
    },
    Row {
        name: "delconsumer",
        arity: 5,
        flags: Flags::WRITE,
        access: &["RW", "delete"],
        summary: "Deletes a consumer of a group, and returns how many entries were pending for it.",
        complexity: "O(N) where N is the number of those entries.",
        run: Run::Keyed(delconsumer),
        ..SUBCOMMAND
    },
    Row {
        name: "help",
        arity: 2,
        flags: flags(&[Flags::LOADING, Flags::STALE]),
        keys: Keys::None,
        summary: "Returns helpful text about the different subcommands.",
        run: Run::Control(xgroup_help),
        ..SUBCOMMAND
    },
];

/// MKSTREAM and ENTRIESREAD.
struct Options {
    makes_stream: bool,
    entries_read: Option<u64>,
}

fn options(ctx: &Ctx<'_, '_>, may_make_stream: bool) -> Result<Options, Failure> {
    let args = ctx.args;
    let mut options = Options { makes_stream: false, entries_read: None };
    let mut at = 5;
    while at < args.len() {
        if may_make_stream && args.is(at, "mkstream") {
            options.makes_stream = true;
            at += 1;
        } else if args.is(at, "entriesread") && at + 1 < args.len() {
            options.entries_read = match args.int(at + 1)? {
                -1 => None,
                // A counter of Redis that has wrapped around.
                count if ctx.from_primary => Some(count as u64),
                count => Some(
                    u64::try_from(count)
                        .map_err(|_| Failure::text("ERR value for ENTRIESREAD must be positive or -1"))?,
                ),
            };
            at += 2;
        } else {
            return Err(bad_subcommand(&args));
        }
    }
    Ok(options)
}

/// Options may be said twice as long as there are no more words than all of them once. Asked only when the key, and the group,
/// are known to be what they should.
fn check_words(args: &Args<'_>, words_max: usize) -> Result<(), Failure> {
    if args.len() > words_max { Err(bad_subcommand(args)) } else { Ok(()) }
}

/// What Redis says of a subcommand whose words make no sense.
pub(in crate::commands::stream) fn bad_subcommand(args: &Args<'_>) -> Failure {
    let word = String::from_utf8_lossy(args.get(1)).into_owned();
    let container = String::from_utf8_lossy(args.get(0)).to_ascii_uppercase();
    Failure::new(format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try {container} HELP."
    ))
}

const NO_KEY: Failure = Failure::text(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to \
     create an empty stream automatically.",
);

/// The stream of a subcommand that wants it to exist, with its group.
fn with_group<'s, 'a>(
    edit: Option<Edit<'s, 'a, Stream>>,
    args: &Args<'_>,
) -> Result<Edit<'s, 'a, Stream>, Failure> {
    let edit = edit.ok_or(NO_KEY)?;
    match edit.group(args.get(3)) {
        Some(_) => Ok(edit),
        None => Err(parse::no_such_group(args.get(2), args.get(3))),
    }
}

fn create(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let options = options(ctx, true)?;
    let (key, name) = (ctx.args.get(2), ctx.args.get(3));
    let last = match ctx.space.peek_as::<Stream>(key)? {
        Some(stream) => stream.log().last_id(),
        None if options.makes_stream => StreamId::MIN,
        None => return Err(NO_KEY),
    };
    check_words(&ctx.args, 8)?;
    let last_id = match ctx.args.get(4) {
        b"$" => last,
        text => parse::id(text)?,
    };
    let mut edit = ctx.space.edit_or_insert::<Stream>(key, Stream::new)?;
    if edit.group(name).is_some() {
        return Err(Failure::text("BUSYGROUP Consumer Group name already exists"));
    }
    edit.change().create_group(name, Group::new(last_id, options.entries_read));
    edit.notify(Classes::STREAM, "xgroup-create");
    edit.changed(1);
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn setid(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let options = options(ctx, false)?;
    let args = ctx.args;
    let mut edit = with_group(ctx.space.edit::<Stream>(args.get(2))?, &args)?;
    check_words(&args, 7)?;
    let last_id = match args.get(4) {
        b"$" => edit.log().last_id(),
        b"-" => StreamId::MIN,
        b"+" => StreamId::MAX,
        text => parse::id(text)?,
    };
    let (_, group) = edit.change().group_mut(args.get(3)).expect("was there under the same lock");
    group.last_id = last_id;
    group.entries_read = options.entries_read;
    edit.notify(Classes::STREAM, "xgroup-setid");
    edit.changed(1);
    ctx.reply.ok();
    Ok(Effect::Verbatim)
}

fn destroy(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let mut edit = ctx.space.edit::<Stream>(ctx.args.get(2))?.ok_or(NO_KEY)?;
    let name = ctx.args.get(3);
    let is_there = edit.group(name).is_some();
    if is_there {
        edit.change().destroy_group(name);
        edit.notify(Classes::STREAM, "xgroup-destroy");
        edit.changed(1);
        // Who waits for entries of this group has to hear of it.
        edit.signal_ready();
    }
    ctx.reply.int(i64::from(is_there));
    Ok(Effect::verbatim_if(is_there))
}

fn createconsumer(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let (args, now) = (ctx.args, ctx.now().0);
    let mut edit = with_group(ctx.space.edit::<Stream>(args.get(2))?, &args)?;
    let is_new = edit.group(args.get(3)).is_some_and(|group| group.consumer(args.get(4)).is_none());
    if is_new {
        let (_, group) = edit.change().group_mut(args.get(3)).expect("was there under the same lock");
        group.create_consumer(args.get(4), now);
        edit.notify(Classes::STREAM, "xgroup-createconsumer");
        edit.changed(1);
    }
    ctx.reply.int(i64::from(is_new));
    Ok(Effect::verbatim_if(is_new))
}

fn delconsumer(ctx: &mut Ctx<'_, '_>) -> Result<Effect, Failure> {
    let args = ctx.args;
    let mut edit = with_group(ctx.space.edit::<Stream>(args.get(2))?, &args)?;
    let is_there = edit.group(args.get(3)).is_some_and(|group| group.consumer(args.get(4)).is_some());
    let mut pending = 0;
    if is_there {
        let (_, group) = edit.change().group_mut(args.get(3)).expect("was there under the same lock");
        pending = group.delete_consumer(args.get(4)).unwrap_or(0);
        edit.notify(Classes::STREAM, "xgroup-delconsumer");
        edit.changed(1);
    }
    ctx.reply.int(pending as i64);
    Ok(Effect::verbatim_if(is_there))
}

fn xgroup_help(_: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    help(
        control.reply,
        "xgroup",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Makes a group that starts behind this id. Options are:",
            "    * MKSTREAM",
            "      Make an empty stream if there is none.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's counter of entries.",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Makes a consumer in a group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Deletes a consumer and what is pending for it.",
            "DESTROY <key> <groupname>",
            "    Destroys a group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Sets the last delivered id and the counter of a group.",
        ],
    );
    Ok(())
}
