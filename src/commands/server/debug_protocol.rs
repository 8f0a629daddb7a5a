//! DEBUG PROTOCOL: one sample of every kind of reply, for those who write clients.
//!
//! Called by DEBUG. Always: the samples are those of Redis, in RESP2 and RESP3, since client libraries test with them.

use crate::commands::spec::{Args, Control, Failure};

/// Redis' sample of a double, which happens to begin like pi.
#[allow(clippy::approx_constant)]
const SAMPLE_DOUBLE: f64 = 3.141;

/// Answers with the sample that the third argument names.
pub(super) fn protocol(args: &Args<'_>, control: &mut Control<'_>) -> Result<(), Failure> {
    let reply = &mut *control.reply;
    match args.get(2).to_ascii_lowercase().as_slice() {
        b"string" => reply.bulk(b"Hello World"),
        b"integer" => reply.int(12345),
        b"double" => reply.double(SAMPLE_DOUBLE),
        b"bignum" => reply.big_number("1234567999999999999999999999999999999"),
        b"null" => reply.null(),
        b"array" => {
            reply.array(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"set" => {
            reply.set(3);
            (0..3).for_each(|number| reply.int(number));
        }
        b"map" => {
            reply.map(3);
            (0..3).for_each(|number| {
                reply.int(number);
                reply.bool(number == 1);
            });
        }
        b"attrib" => {
            if reply.resp3() {
                reply.attribute(1);
                reply.bulk(b"key-popularity");
                reply.array(2);
                reply.bulk(b"key:123");
                reply.int(90);
            }
            reply.bulk(b"Some real reply following the attribute");
        }
        b"push" => {
            if !reply.resp3() {
                return Err(Failure::text("ERR RESP2 is not supported by this command"));
            }
            reply.push(2);
            reply.bulk(b"server-cpu-usage");
            reply.int(42);
            reply.bulk(b"Some real reply following the push reply");
        }
        b"true" => reply.bool(true),
        b"false" => reply.bool(false),
        b"verbatim" => reply.verbatim("txt", b"This is a verbatim\nstring"),
        _ => {
            return Err(Failure::text(
                "ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|\
                 array|set|map|attrib|push|verbatim|true|false",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::commands::harness::Harness;
    use crate::config::Permission;

    #[test]
    fn samples_of_both_protocols() {
        let mut h = Harness::new();
        h.configure(|config| config.enable_debug_command = Permission::Yes);
        h.reads("debug protocol bignum", "$37 1234567999999999999999999999999999999");
        h.reads("debug protocol attrib", "$39 Some real reply following the attribute");
        h.reads("debug protocol push", "-ERR RESP2 is not supported by this command");
        h.reads("debug protocol true", ":1");
        h.reads("debug protocol double", "$5 3.141");
        h.session.resp3 = true;
        h.reads("debug protocol bignum", "(1234567999999999999999999999999999999");
        h.reads(
            "debug protocol attrib",
            "|1 $14 key-popularity *2 $7 key:123 :90 $39 Some real reply following the attribute",
        );
        h.reads("debug protocol map", "%3 :0 #f :1 #t :2 #f");
        h.reads("debug protocol false", "#f");
        h.reads("debug protocol verbatim", "=29 txt:This is a verbatim\nstring");
    }
}
