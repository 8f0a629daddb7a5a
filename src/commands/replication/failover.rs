//! FAILOVER: a replica takes over, and this server follows it.
//!
//! Called through its row. Always: the handler reads the request; what it asks for happens behind `Host`, while writes are paused.

use std::time::Duration;

use crate::commands::spec::host::FailoverWish;
use crate::commands::spec::{Args, Control, Failure, Flags, Group, Row, Run, flags};

pub const ROWS: &[Row] = &[Row {
    name: "failover",
    arity: -1,
    flags: flags(&[Flags::ADMIN, Flags::NOSCRIPT, Flags::STALE]),
    group: Group::Server,
    since: "6.2.0",
    summary: "Hands the part of the primary over to a replica that has everything.",
    run: Run::Control(failover),
    ..Row::BASE
}];

fn wish(args: &Args<'_>) -> Result<FailoverWish, Failure> {
    let mut wish = FailoverWish::default();
    let mut at = 1;
    while at < args.len() {
        let left = args.len() - at - 1;
        if args.is(at, "timeout") && left >= 1 && wish.timeout.is_none() {
            let ms = args.int(at + 1)?;
            if ms <= 0 {
                return Err(Failure::text("ERR FAILOVER timeout must be greater than 0"));
            }
            wish.timeout = Some(Duration::from_millis(ms.unsigned_abs()));
            at += 1;
        } else if args.is(at, "to") && left >= 2 && wish.target.is_none() {
            let host = String::from_utf8_lossy(args.get(at + 1)).into_owned();
            wish.target = Some((host, args.int(at + 2)?));
            at += 2;
        } else if args.is(at, "force") && !wish.is_forced {
            wish.is_forced = true;
        } else {
            return Err(Failure::SYNTAX);
        }
        at += 1;
    }
    Ok(wish)
}

fn failover(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    if args.len() == 2 && args.is(1, "abort") {
        if !control.host.abort_failover() {
            return Err(Failure::text("ERR No failover in progress."));
        }
    } else {
        control.host.failover(wish(args)?)?;
    }
    control.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::commands::harness::Harness;
    use crate::commands::spec::host::FailoverWish;

    #[test]
    fn a_request_is_read_in_any_order() {
        let check = |request: &str, expected: FailoverWish| {
            let mut h = Harness::new();
            h.reads(request, "+OK");
            let asked = h.host.failovers.lock().expect("no test panics while holding it").pop();
            assert_eq!(asked, Some(expected), "{request}");
        };
        check("failover", FailoverWish::default());
        let target = Some(("host".to_owned(), 7000));
        let timeout = Some(Duration::from_millis(500));
        check("failover TIMEOUT 500", FailoverWish { timeout, ..FailoverWish::default() });
        let all = FailoverWish { target, timeout, is_forced: true };
        check("failover to host 7000 force timeout 500", all.clone());
        check("failover FORCE timeout 500 TO host 7000", all);
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_redis_words() {
        let mut h = Harness::new();
        for options in
            ["timeout", "to host", "force force", "abort now", "to a 1 to b 2", "timeout 1 timeout 2", "x"]
        {
            h.reads(&format!("failover {options}"), "-ERR syntax error");
        }
        for options in ["timeout x", "to host port"] {
            h.reads(&format!("failover {options}"), "-ERR value is not an integer or out of range");
        }
        h.reads("failover timeout 0", "-ERR FAILOVER timeout must be greater than 0");
        h.reads("failover abort", "-ERR No failover in progress.");
        h.reads("failover", "+OK");
        h.reads("failover ABORT", "+OK");
    }
}
