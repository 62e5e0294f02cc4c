// Whose turn it is, among those who ask.
//
// Contract: pick_o is the first that asks behind last_i, going round; any_o says that somebody asks. If last_i is always
// who was served last, each waits for at most one turn of every other. Combinational.
module fenn_soc_pick #(
  parameter int unsigned Count     = 2,
  parameter int unsigned IndexBits = Count > 1 ? $clog2(Count) : 1
) (
  input  logic [Count-1:0]     ask_i,
  input  logic [IndexBits-1:0] last_i,
  output logic                 any_o,
  output logic [IndexBits-1:0] pick_o
);

  assign any_o = ask_i != '0;

  logic [IndexBits:0]   place;
  logic [IndexBits-1:0] pick;
  always_comb begin
    pick  = last_i;
    place = '0;
    for (int unsigned i = Count; i > 0; i--) begin
      place = {1'b0, last_i} + (IndexBits + 1)'(i);
      if (place >= (IndexBits + 1)'(Count)) place = place - (IndexBits + 1)'(Count);
      if (ask_i[place[IndexBits-1:0]]) pick = place[IndexBits-1:0];
    end
  end
  assign pick_o = pick;

endmodule
