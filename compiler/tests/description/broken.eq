V = V;
Spike();
