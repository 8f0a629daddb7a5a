//! CLIENT PAUSE, UNPAUSE, NO-EVICT and NO-TOUCH: switches of one client or of all.
//!
//! Called through the rows in `client`. Always: a pause is kept by the engine (`exec::pause`), a switch by the client's record.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use crate::base::ids::UnixMs;
use crate::commands::spec::host::{Extent, Pause};
use crate::commands::spec::{Args, Control, Failure};

/// `CLIENT PAUSE milliseconds [WRITE|ALL]`
pub(super) fn pause(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let extent = match args.opt(3) {
        None => Extent::All,
        Some(word) if word.eq_ignore_ascii_case(b"all") => Extent::All,
        Some(word) if word.eq_ignore_ascii_case(b"write") => Extent::Writes,
        Some(_) => return Err(Failure::text("ERR CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let span = args.int(2).map_err(|_| Failure::text("ERR timeout is not an integer or out of range"))?;
    if span < 0 {
        return Err(Failure::text("ERR timeout is negative"));
    }
    let until = control.now.0.checked_add(span).ok_or(Failure::text("ERR timeout is out of range"))?;
    control.host.pause(Some(Pause { extent, until: UnixMs(until) }));
    control.reply.ok();
    Ok(())
}

/// `CLIENT UNPAUSE`
pub(super) fn unpause(_args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    control.host.pause(None);
    control.reply.ok();
    Ok(())
}

/// `CLIENT NO-EVICT (ON|OFF)`
pub(super) fn no_evict(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    set_switch(args, &control.session.client.is_no_evict)?;
    control.reply.ok();
    Ok(())
}

/// `CLIENT NO-TOUCH (ON|OFF)`
pub(super) fn no_touch(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    set_switch(args, &control.session.client.is_no_touch)?;
    control.session.is_no_touch = control.session.client.is_no_touch.load(Relaxed);
    control.reply.ok();
    Ok(())
}

fn set_switch(args: &Args<'_>, switch: &AtomicBool) -> Result<(), Failure> {
    let is_on = match args.get(2).to_ascii_lowercase().as_slice() {
        b"on" => true,
        b"off" => false,
        _ => return Err(Failure::SYNTAX),
    };
    switch.store(is_on, Relaxed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;

    #[test]
    fn a_pause_needs_a_time_and_a_known_mode() {
        let mut h = Harness::new();
        h.reads("client pause 100", "+OK");
        h.reads("client pause 100 write", "+OK");
        h.reads("client pause 100 ALL", "+OK");
        h.reads("client pause 100 reads", "-ERR CLIENT PAUSE mode must be WRITE or ALL");
        h.reads("client pause abc", "-ERR timeout is not an integer or out of range");
        h.reads("client pause -1", "-ERR timeout is negative");
        h.reads("client unpause", "+OK");
    }

    #[test]
    fn switches_are_on_or_off() {
        let mut h = Harness::new();
        h.reads("client no-evict on", "+OK");
        h.reads("client no-evict wrong", "-ERR syntax error");
        h.reads("client no-touch OFF", "+OK");
    }
}
