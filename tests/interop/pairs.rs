//! Which products meet in a scenario: a scenario is a function of (primary, replica), and `for_each_pair!` makes a test of each pair.
//!
//! Used by the modules of scenarios. In every pair at least one side is Starling.

/// Makes five tests, named after the pair, of one scenario function `fn(Product, Product)`.
macro_rules! for_each_pair {
    ($scenario:ident) => {
        mod $scenario {
            use crate::server::Product::{Redis7, Starling, Valkey8};

            #[test]
            fn redis_follows_starling() {
                super::$scenario(Starling, Redis7);
            }

            #[test]
            fn starling_follows_redis() {
                super::$scenario(Redis7, Starling);
            }

            #[test]
            fn valkey_follows_starling() {
                super::$scenario(Starling, Valkey8);
            }

            #[test]
            fn starling_follows_valkey() {
                super::$scenario(Valkey8, Starling);
            }

            #[test]
            fn starling_follows_starling() {
                super::$scenario(Starling, Starling);
            }
        }
    };
}

pub(crate) use for_each_pair;
