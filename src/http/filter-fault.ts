/** Thrown by a filter's guard: the fault is reported already, only its exchange has to end. */
export class FilterFault extends Error {}
