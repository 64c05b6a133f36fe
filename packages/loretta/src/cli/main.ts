/** The command line `loretta`. */
export {};
