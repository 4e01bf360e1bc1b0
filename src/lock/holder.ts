/** What a start calls itself in the lock of the project. */
export const START_COMMAND = 'start';
/** And `devctl run`, which holds it while it begins and while it ends. */
export const RUN_COMMAND = 'run';

/**
 * Asks a devctl command to say that it is being replaced, and to end. Where nobody listens it does nothing
 * (signal(7)): a command that has its result and is just exiting must not be seen to die of it.
 */
export const TAKE_OVER_SIGNAL = 'SIGURG';
