/** What a start calls itself in the lock of the project. */
export const START_COMMAND = 'start';

/** Asks a devctl command to say that it is being replaced, and to end. One that does not listen just ends. */
export const TAKE_OVER_SIGNAL = 'SIGUSR2';
