/** The entry point of a thread that carries traffic. Main talks to it through `TrafficWorkers` alone. */
import { filters } from "../registry.gen.ts";
import { carryTraffic } from "./carrier.ts";

carryTraffic(filters);
