//! The behaviour of a few nodes together, over every transport.

#[cfg(any(feature = "ws-json", feature = "ws-bincode", feature = "ws-postcard"))]
mod discovery;
#[cfg(feature = "ws-json")]
mod encoded_once;
mod lifecycle;
mod partition;
mod refusals;
mod sync;

/// Runs each test over every transport of this build.
macro_rules! over_every_transport {
    ($($test:ident),+ $(,)?) => {
        over_every_transport!(@ memory Memory $($test)+);
        #[cfg(feature = "ws-json")]
        over_every_transport!(@ ws_json Json $($test)+);
        #[cfg(feature = "ws-bincode")]
        over_every_transport!(@ ws_bincode Bincode $($test)+);
        #[cfg(feature = "ws-postcard")]
        over_every_transport!(@ ws_postcard Postcard $($test)+);
        #[cfg(all(feature = "ws-json", feature = "ws-bincode"))]
        over_every_transport!(@ mixed Mixed $($test)+);
    };
    (@ $module:ident $wire:ident $($test:ident)+) => {
        mod $module {
            $(
                #[tokio::test]
                async fn $test() {
                    super::$test($crate::kit::Network::new($crate::kit::Wire::$wire)).await;
                }
            )+
        }
    };
}
use over_every_transport;
