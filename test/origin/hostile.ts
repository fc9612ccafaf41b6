// Every misbehaviour that tests know, one starter each, by what it is about.
export * from './hostile-connection.ts';
export * from './hostile-framing.ts';
export * from './hostile-head.ts';
export * from './hostile-location.ts';
